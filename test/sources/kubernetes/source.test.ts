import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../agent/core/clock.ts'
import { findAccess } from '../../../agent/kubernetes/access.ts'
import { KubernetesClient } from '../../../agent/kubernetes/client.ts'
import {
  createKubernetesSource,
  type KubernetesSourceOptions,
  kubernetesFormat,
} from '../../../agent/sources/kubernetes/kubernetes-source.ts'
import { readTar } from '../../../agent/sources/kubernetes/tar.ts'
import type { KubernetesFacts } from '../../../agent/sources/source.ts'
import { NAMESPACE, paletteObjects } from '../../support/kubernetes/palette.ts'
import { type KubernetesDouble, startKubernetesDouble } from '../../support/kubernetes/server.ts'
import { collect, errorOf, sliced, streamOf } from '../../support/streams.ts'

const KUBERNETES = {
  secrets: [named(NAMESPACE, 'configserversecret'), named(NAMESPACE, 'msgbroker-secret')],
  optionalSecrets: [
    named('ingress-nginx', 'default-ssl-certificate'),
    named('ingress-traefik', 'default-ssl-certificate'),
  ],
  helmReleases: [named('default', 'hubble'), named('default', 'image-swap')],
}

describe('the kubernetes source', () => {
  it('reads what a restore needs, cleaned, with the values of the chart, and an index at the end', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    const { files, facts, warnings } = await backUp(double)
    expect([...files.keys()]).toEqual([
      'default/secrets/sh.helm.release.v1.hubble.v1.json',
      'default/secrets/sh.helm.release.v1.hubble.v2.json',
      '_helm/default/hubble.values.json',
      'hubble-system/configmaps/spectro-mgmt-version.json',
      'hubble-system/secrets/configserversecret.json',
      'hubble-system/secrets/msgbroker-secret.json',
      'ingress-nginx/secrets/default-ssl-certificate.json',
      'index.json',
    ])
    expect(files.get('hubble-system/secrets/configserversecret.json')).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'configserversecret', namespace: NAMESPACE },
      type: 'Opaque',
      data: expect.objectContaining({ salt: expect.any(String) }),
    })
    expect(files.get('_helm/default/hubble.values.json')).toMatchObject({ values: { mongo: { internal: true } } })
    expect(files.get('default/secrets/sh.helm.release.v1.hubble.v2.json')).toMatchObject({
      metadata: { labels: { owner: 'helm', status: 'deployed' } },
    })
    expect(files.get('index.json')).toMatchObject({
      missing: [],
      absent: ['Helm release default/image-swap', 'Secret ingress-traefik/default-ssl-certificate'],
    })
    expect(facts).toMatchObject({ serverVersion: 'v1.36.4', objects: { ConfigMap: 1, Secret: 5 }, unread: [] })
    expect(warnings).toEqual([])
  })

  it('reads all objects of the namespaces but what is transient, made again by its owner, or opens MongoDB', async () => {
    const owned = {
      name: 'auth-5d9c',
      namespace: NAMESPACE,
      ownerReferences: [{ kind: 'Deployment', controller: true }],
    }
    const event = { apiVersion: 'v1', kind: 'Event', metadata: named(NAMESPACE, 'auth.1') }
    const made = { apiVersion: 'v1', kind: 'ConfigMap', metadata: owned }
    await using double = await startKubernetesDouble([...paletteObjects(), event, made])
    const { files, facts } = await backUp(double, { namespaces: 'default' })
    const paths = [...files.keys()]
    expect(paths).toContain('hubble-system/deployments.apps/auth.json')
    expect(paths).toContain('hubble-system/statefulsets.apps/mongo.json')
    expect(paths).toContain('hubble-system/cronjobs.batch/cleanup.json')
    expect(paths).toContain('ingress-nginx/secrets/default-ssl-certificate.json')
    expect(paths).toContain('default/secrets/sh.helm.release.v1.hubble.v2.json')
    expect(paths.filter((path) => /events|pods|auth-5d9c|spectromongosecret|replicaset-key/.test(path))).toEqual([])
    expect(files.get('hubble-system/deployments.apps/auth.json')).not.toHaveProperty('status')
    expect(facts).toMatchObject({
      objects: { 'Deployment.apps': 9, 'StatefulSet.apps': 3, 'CronJob.batch': 1 },
      unread: [],
    })
  })

  it('gives the same bytes for the same objects', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    const first = await backUp(double, { namespaces: [NAMESPACE] })
    for (const object of paletteObjects()) double.store.put(object)
    expect(Buffer.compare(first.archive, (await backUp(double, { namespaces: [NAMESPACE] })).archive)).toBe(0)
  })

  it('lists what is missing: a Secret that does not exist, and one that may not be read', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    double.store.remove('Secret', NAMESPACE, 'msgbroker-secret')
    double.faults.deny({ plural: 'secrets', name: 'configserversecret' })
    const { facts, files, warnings } = await backUp(double)
    expect(facts.unread).toEqual([
      { what: 'Secret hubble-system/configserversecret', reason: expect.stringContaining('verbs: ["get"]') },
      { what: 'Secret hubble-system/msgbroker-secret', reason: 'it does not exist' },
    ])
    expect(files.get('index.json')).toMatchObject({ missing: facts.unread })
    expect(warnings).toHaveLength(2)
  })

  it('does not call a backup partial for a namespace that the installation may not have', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    double.faults.deny({ namespace: 'ingress-traefik' })
    const { facts, warnings } = await backUp(double)
    expect(facts.unread).toEqual([])
    expect(warnings).toEqual([
      expect.stringContaining('Secret ingress-traefik/default-ssl-certificate may exist or not'),
    ])
  })

  it('lists a kind that may not be listed, and Helm records', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    double.faults.deny({ plural: 'configmaps', verb: 'list', namespace: NAMESPACE })
    double.faults.deny({ namespace: 'default' })
    const { facts } = await backUp(double, { namespaces: [NAMESPACE] })
    expect(facts.unread.map(({ what }) => what)).toEqual([
      'Helm releases hubble, image-swap of namespace default',
      'configmaps of namespace hubble-system',
    ])
  })

  it('fails when the server goes away in the middle: that is no fact about the installation', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    double.faults.plan({ kind: 'cut' }, { name: 'msgbroker-secret' }, 100)
    expect(await errorOf(backUp(double))).toMatchObject({ code: 'unreachable', retryable: true })
  })

  it('proves what it wrote, however it is cut into chunks', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    const { archive, facts } = await backUp(double, { namespaces: 'default' })
    for (const size of [1, 511, 70_000]) {
      const found = await kubernetesFormat.inspect(sliced(archive, size), { signal: never() })
      expect(found).toEqual({ source: 'kubernetes', objects: facts.objects })
    }
  })

  it('tells every damage of an archive', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    const { archive } = await backUp(double)
    const inspect = (bytes: Buffer) => errorOf(kubernetesFormat.inspect(streamOf(bytes), { signal: never() }))
    for (let offset = 0; offset < archive.length; offset += 211) {
      const damaged = Buffer.from(archive)
      damaged[offset] = (damaged[offset] ?? 0) ^ 0x55
      const error = await inspect(damaged)
      // Bytes of padding and of fields that nobody reads may differ.
      if (error !== undefined) expect(error).toMatchObject({ code: 'damaged' })
      expect(await inspect(archive.subarray(0, offset))).toMatchObject({ code: 'damaged' })
    }
    const salt = archive.indexOf('"salt"')
    const changed = Buffer.from(archive)
    changed.write('"salz"', salt)
    expect(await inspect(changed)).toMatchObject({ message: expect.stringContaining('is not what was stored') })
  })
})

interface BackedUp {
  readonly archive: Buffer
  readonly files: Map<string, unknown>
  readonly facts: KubernetesFacts
  readonly warnings: readonly string[]
}

async function backUp(
  double: KubernetesDouble,
  options: Pick<KubernetesSourceOptions, 'namespaces'> = {},
): Promise<BackedUp> {
  const access = findAccess({ server: double.url, serviceAccountDirectory: double.directory }, {})
  if (!access) throw new Error('there is no access')
  const clock = { ...systemClock, sleep: async () => undefined }
  using client = new KubernetesClient(access, clock)
  const source = createKubernetesSource({ client, namespace: NAMESPACE, kubernetes: KUBERNETES, clock, ...options })
  for await (const artifact of source.read({ signal: never() })) {
    const archive = await collect(artifact.body)
    const files = new Map<string, unknown>()
    for await (const { path, content } of readTar(streamOf(archive)))
      files.set(path, JSON.parse(content.toString('utf8')))
    return { archive, files, facts: artifact.facts(), warnings: artifact.warnings() }
  }
  throw new Error('there was no artifact')
}

function named(namespace: string, name: string) {
  return { namespace, name }
}

function never(): AbortSignal {
  return new AbortController().signal
}
