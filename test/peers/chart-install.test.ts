import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { CHART, CI_VALUES, helm, renderChart } from './servers/helm.ts'
import type { Kubernetes } from './servers/kubernetes.ts'
import { KUBERNETES_PEERS, startKubernetes } from './servers/kubernetes.ts'
import { peerBinary, peersMissing } from './servers/peer.ts'

const run = promisify(execFile)
const DEFAULT = ['-f', CI_VALUES['default'] ?? '']
/** All a rendered chart may speak of. */
const NAMESPACES = ['palette-backup', 'hubble-system', 'ingress-traefik', 'ingress-nginx', 'monitoring']
/** Comes and goes by itself. */
const PASSING = /^(events|leases|endpoints|endpointslices|pods\.metrics)/

let cluster: Kubernetes
let folder: string

describe.skipIf(peersMissing('helm', ...KUBERNETES_PEERS))('the chart in a cluster', () => {
  beforeAll(async () => {
    cluster = await startKubernetes()
    folder = await mkdtemp(join(tmpdir(), 'palette-backup-install-'))
    const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted' }
    await cluster.apply(
      ...NAMESPACES.filter((name) => name !== 'ingress-nginx').map((name) => ({
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name, labels: name === 'palette-backup' ? restricted : {} },
      })),
      customResource('ServiceMonitor', 'servicemonitors'),
      customResource('PrometheusRule', 'prometheusrules'),
    )
    await cluster.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s')
  })

  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  // One test that fails is not to fail the next.
  afterEach(uninstall)

  it('is installed where the restricted pod security standard is enforced, and leaves nothing when it goes', async () => {
    const privileged = { name: 'x', image: 'x', securityContext: { privileged: true } }
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', namespace: 'palette-backup' } }
    await expect(cluster.apply({ ...pod, spec: { containers: [privileged] } })).rejects.toThrow(/violates PodSecurity/)

    const before = await inventory()
    await install('install', '--wait')
    expect(await pods()).toHaveLength(1)
    // The cluster has Traefik's namespace and not nginx's.
    const names = (await inventory()).filter((name) => name.includes(' Role palette-backup'))
    expect(names).toEqual(['default', 'hubble-system', 'ingress-traefik'].map((name) => `${name} Role palette-backup`))
    await uninstall()
    expect(await inventory()).toEqual(before)
  })

  it('edits the configuration without touching the pod; another version replaces it, a rollback puts it back', async () => {
    await install('install', '--wait', '--set', 'token.create=true')
    const [first] = await pods()
    const token = await tokenOf()
    const retention = 'config.resource.backup_policy.nightly.retention_period=30'
    await install('upgrade', '--wait', '--set', 'token.create=true', '--set', retention)
    expect(await pods()).toEqual([first])
    expect(await tokenOf()).toBe(token)
    const configMap = await cluster.kubectl('get', 'configmap', 'palette-backup', '-n', 'palette-backup', '-o', 'yaml')
    expect(configMap).toContain('retention_period: 30')

    await install('upgrade', '--wait', '--set', 'token.create=true', '--set', 'image.tag=9.9.9')
    const [second, ...others] = await pods()
    expect(others).toEqual([])
    expect(second).not.toEqual(first)
    await helmHere('rollback', 'palette-backup', '1', '--wait')
    const back = await cluster.kubectl('get', 'deployment', 'palette-backup', '-n', 'palette-backup', '-o', 'yaml')
    expect(back).not.toContain('9.9.9')
  })

  it.each(['default', 'restore'])('gives its ServiceAccount, with %s values, exactly these rights', async (name) => {
    await install('install', '-f', CI_VALUES[name] ?? '')
    const token = (await cluster.kubectl('create', 'token', 'palette-backup', '-n', 'palette-backup')).trim()
    const lists: string[] = []
    for (const namespace of ['palette-backup', 'hubble-system', 'default', 'ingress-traefik', 'kube-system']) {
      lists.push(`namespace ${namespace}\n${await rights(token, namespace)}`)
    }
    await expect(lists.join('\n')).toMatchFileSnapshot(`rights/${name}.txt`)
  })

  it('is understood by the API server, with every ci/*-values.yaml', async () => {
    await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ingress-nginx' } })
    for (const [name, values] of Object.entries(CI_VALUES)) {
      const objects = await renderChart('-f', values)
      const file = join(folder, `${name}.yaml`)
      await writeFile(file, objects.map((object) => stringify(object)).join('---\n'))
      const applied = await cluster.kubectl('apply', '--dry-run=server', '--validate=strict', '-f', file)
      expect(applied.trim().split('\n')).toHaveLength(objects.length)
    }
  })
})

async function helmHere(...args: readonly string[]): Promise<string> {
  return await helm(...args, '--kubeconfig', cluster.kubeconfig, '-n', 'palette-backup')
}

async function install(how: 'install' | 'upgrade', ...args: readonly string[]): Promise<void> {
  await helmHere(how, 'palette-backup', CHART, ...DEFAULT, '--timeout', '60s', ...args)
}

async function uninstall(): Promise<void> {
  await helmHere('uninstall', 'palette-backup', '--wait', '--ignore-not-found')
  await cluster.kubectl('wait', '--for=delete', 'pod', '--all', '-n', 'palette-backup', '--timeout=60s')
}

/** Identities of the agent's pods that are not on their way out. */
async function pods(): Promise<readonly string[]> {
  const list = (await cluster.get('pods', '-n', 'palette-backup')) as {
    items: { metadata: { uid: string; deletionTimestamp?: string } }[]
  }
  return list.items.filter(({ metadata }) => !metadata.deletionTimestamp).map(({ metadata }) => metadata.uid)
}

async function tokenOf(): Promise<string> {
  return await cluster.kubectl(
    'get',
    'secret',
    'palette-backup-token',
    '-n',
    'palette-backup',
    '-o',
    'jsonpath={.data.token}',
  )
}

/** What lies in the cluster, but for what comes and goes by itself: `NAMESPACE KIND NAME`, sorted. */
async function inventory(): Promise<readonly string[]> {
  const kinds = (await cluster.kubectl('api-resources', '--verbs=list', '-o', 'name')).trim().split('\n')
  const wanted = kinds.filter((kind) => !PASSING.test(kind)).join(',')
  const list = (await cluster.get(wanted, '-A')) as {
    items: { kind: string; metadata: { name: string; namespace?: string } }[]
  }
  return list.items.map(({ kind, metadata }) => `${metadata.namespace ?? '-'} ${kind} ${metadata.name}`).sort()
}

/** What the API server itself says the bearer may do, without what it lets everybody do. */
async function rights(token: string, namespace: string): Promise<string> {
  const { stdout } = await run(peerBinary('kubectl'), [
    ...['--kubeconfig=/dev/null', `--server=${cluster.url}`, `--certificate-authority=${cluster.caFile}`],
    ...[`--token=${token}`, 'auth', 'can-i', '--list', '-n', namespace, '--no-headers'],
  ])
  const lines = stdout.split('\n').map((line) => line.trimEnd().replaceAll(/ {2,}/g, '  '))
  const own = lines.filter((line) => line !== '' && !/^\s*\[|selfsubject/.test(line))
  return own.length === 0
    ? '  nothing\n'
    : own
        .map((line) => `  ${line}\n`)
        .sort()
        .join('')
}

/** As the Prometheus Operator brings it, without its schema. */
function customResource(kind: string, plural: string): object {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.monitoring.coreos.com` },
    spec: {
      group: 'monitoring.coreos.com',
      names: { kind, plural, singular: kind.toLowerCase() },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  }
}
