import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AgentProcess } from '../support/agent-process.ts'
import { contentsOf } from '../support/contents.ts'
import { mountAsKubelet } from '../support/kubelet-mount.ts'
import { NAMESPACE, WRITERS } from '../support/kubernetes/palette.ts'
import { until } from '../support/until.ts'
import { PaletteInKubernetes } from './palette-in-kubernetes.ts'
import { CHART, helm } from './servers/helm.ts'
import { KUBERNETES_PEERS } from './servers/kubernetes.ts'
import { peersMissing } from './servers/peer.ts'

const DATABASES = ['hubbledb', 'hubble_timeseriesdb', 'hubble_archivedb']

/** What an operator does, in order: the chart's own ConfigMap, ServiceAccount and Roles, and the real agent with them. */
describe.skipIf(peersMissing(...KUBERNETES_PEERS, 'ferretdb', 'helm'))('installed beside a VerteX by the chart', () => {
  let palette: PaletteInKubernetes
  let agent: AgentProcess
  let mount: string
  let configFile: string

  beforeAll(async () => {
    palette = await PaletteInKubernetes.start('vertex')
    const { kubectl } = palette.kubernetes
    // The chart brings its own.
    await kubectl('delete', 'serviceaccount', 'palette-backup', '-n', 'palette-backup')
    await kubectl('label', 'namespace', 'palette-backup', 'pod-security.kubernetes.io/enforce=restricted')
    mount = join(palette.folder, 'config')
    configFile = join(mount, 'palette-backup.yaml')
    await release('install', values(400))
    await palette.kubernetes.mountServiceAccount('palette-backup', 'palette-backup')
    await syncMount()
    agent = await AgentProcess.start({ configFile, env: palette.env })
  })

  afterAll(async () => {
    await agent?.stop()
    await palette?.[Symbol.asyncDispose]()
  })

  it('finds the replica set, its root and its certificates', async () => {
    const found = await palette.command(configFile, ['plan', '--discover'])
    expect(found, found.stderr).toMatchObject({ code: 0 })
    expect(found.stdout).toMatch(/mongodb\.tls +mutual TLS {2}\(Secret hubble-system\/mongo-tls\)/)
    expect(found.stdout).toContain('Secret hubble-system/spectromongosecret, key mongoRootPassword')
    expect(found.stdout).not.toMatch(/swordfish|PRIVATE KEY/)
  })

  it('backs up MongoDB, Secrets and Helm releases with the rights the chart gives', async () => {
    const made = await palette.command(configFile, ['backup', 'nightly', '--json'])
    expect(made, made.stderr).toMatchObject({ code: 0 })
    const { result, warnings } = JSON.parse(made.stdout)
    expect(result).toBe('success')
    expect(warnings).toEqual([])
    const shown = await palette.command(configFile, ['show', 'latest', '--json'])
    expect(shown.stdout).toContain('kubernetes.tar.zst')
  })

  it('applies what `helm upgrade` has changed when the kubelet has swapped the files, in the same process', async () => {
    const digest = await agent.configDigest()
    const { pid } = agent
    await release('upgrade', values(500))
    await syncMount()
    await until('the new configuration', 10_000, async () => (await agent.configDigest()) !== digest)
    expect(await agent.metric('palette_backup_config_last_reload_successful')).toBe(1)
    expect(agent.pid).toBe(pid)
  })

  it('tells of a backup that lacks a Secret the agent may no longer read', async () => {
    const complete = 'palette_backup_last_backup_complete{policy="nightly",location="disk"}'
    await until('the complete backup', 60_000, async () => (await agent.metric(complete)) === 1)
    // Of what it finds MongoDB by it keeps the rights: without those there would be no backup at all.
    const role = JSON.stringify(await palette.kubernetes.get('role/palette-backup', '-n', NAMESPACE))
    await palette.kubernetes.apply(JSON.parse(role.replace('"configserversecret"', '"withdrawn"')))
    await until('the right to be gone', 20_000, async () => {
      return !(await palette.can('get', 'secrets/configserversecret', '-n', NAMESPACE))
    })
    await startBackup()
    await until('the partial backup', 60_000, async () => (await agent.metric(complete)) === 0)
    await release('upgrade', values(500))
    await until('the right', 20_000, () => palette.can('get', 'secrets/configserversecret', '-n', NAMESPACE))
    await startBackup()
    await until('the next complete backup', 60_000, async () => (await agent.metric(complete)) === 1)
  })

  it('restores only while restore.enabled, with Palette stopped meanwhile', async () => {
    const before = await contentsOf(palette.mongodb.uri, DATABASES)
    expect((await palette.command(configFile, ['restore', 'latest', '--yes'])).code).toBe(1)
    expect(await contentsOf(palette.mongodb.uri, DATABASES)).toEqual(before)

    await release('upgrade', values(500), '--set', 'restore.enabled=true')
    await until('the right to stop Palette', 20_000, () => palette.can('patch', 'deployments/auth', '-n', NAMESPACE))
    await using client = new MongoClient(palette.mongodb.uri)
    await client.db('hubbledb').dropDatabase()
    const watched = palette.watchReplicas()
    const restored = await palette.command(configFile, ['restore', 'latest', '--apply-secrets', '--yes'])
    watched.stop()
    expect(restored, restored.stderr).toMatchObject({ code: 0 })
    expect(await contentsOf(palette.mongodb.uri, DATABASES)).toEqual(before)
    for (const [name, replicas] of Object.entries(WRITERS)) {
      const seen = watched.seen.filter((line) => line.startsWith(`${name} `))
      expect(seen, name).toContain(`${name} 0`)
      expect(seen.at(-1), name).toBe(`${name} ${replicas}`)
    }
    await release('upgrade', values(500))
    await until('the right to be gone', 20_000, async () => {
      return !(await palette.can('patch', 'deployments/auth', '-n', NAMESPACE))
    })
  })

  it('leaves nothing of itself when it is uninstalled', async () => {
    await helm('uninstall', 'palette-backup', '--wait', ...target())
    const kinds = 'all,role,rolebinding,configmap,secret,serviceaccount'
    const left = await palette.kubernetes.kubectl(
      'get',
      kinds,
      '-A',
      '-l',
      'app.kubernetes.io/managed-by=Helm',
      '-o',
      'name',
    )
    expect(left.split('\n').filter((name) => name.includes('palette-backup'))).toEqual([])
    expect(await palette.can('get', 'secrets/configserversecret', '-n', NAMESPACE)).toBe(false)
  })

  async function startBackup(): Promise<void> {
    const reply = await fetch(`${agent.url}/backups?policy=nightly`, { method: 'POST' })
    expect(reply.status).toBe(202)
  }

  function target(): string[] {
    return ['--kubeconfig', palette.kubernetes.kubeconfig, '-n', 'palette-backup']
  }

  async function release(how: 'install' | 'upgrade', config: object, ...args: readonly string[]): Promise<void> {
    const file = join(palette.folder, 'values.json')
    await writeFile(file, JSON.stringify({ config }))
    await helm(how, 'palette-backup', CHART, '--wait', '--timeout', '120s', '-f', file, ...target(), ...args)
  }

  /** What the kubelet would do within a minute. */
  async function syncMount(): Promise<void> {
    const configMap = await palette.kubernetes.get('configmap/palette-backup', '-n', 'palette-backup')
    await mountAsKubelet(mount, Reflect.get(Object(configMap), 'data'))
  }

  function values(retentionDays: number): object {
    return {
      version: 1,
      provider: {
        palette: {
          cluster_name: 'prod',
          kubernetes: { service_account_directory: palette.env['SERVICE_ACCOUNT'] },
        },
      },
      resource: {
        backup_storage_location: {
          disk: { storage_provider: 'filesystem', filesystem: { path: palette.folder } },
        },
        backup_policy: {
          nightly: {
            ...{ backup_locations: ['disk'], schedule: '0 0 1 1 *', retention_period: retentionDays },
            allow_cleartext: true,
          },
        },
      },
    }
  }
})
