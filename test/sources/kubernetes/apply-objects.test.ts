import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../agent/core/clock.ts'
import { findAccess } from '../../../agent/kubernetes/access.ts'
import { KubernetesClient } from '../../../agent/kubernetes/client.ts'
import { planObjects } from '../../../agent/sources/kubernetes/apply-objects.ts'
import { formatFieldChange } from '../../../agent/sources/kubernetes/differences.ts'
import { createKubernetesSource } from '../../../agent/sources/kubernetes/kubernetes-source.ts'
import { NAMESPACE, paletteObjects, secret } from '../../support/kubernetes/palette.ts'
import { type KubernetesDouble, startKubernetesDouble } from '../../support/kubernetes/server.ts'
import { collect, errorOf, streamOf } from '../../support/streams.ts'

const CONFIG = 'hubble-system/secrets/configserversecret'

describe('putting objects back', () => {
  it('shows names and sizes of what changes, tries it in the server, and changes nothing before it is told to', async () => {
    await using target = await startKubernetesDouble(paletteObjects())
    const archive = await backUp(target)
    target.store.put(secret('configserversecret', { 'key.pem': 'other', extra: 'x' }))
    using client = clientOf(target)
    const planned = await planObjects(streamOf(archive), { client, objects: [CONFIG], signal: never() })
    expect(planned.changes).toMatchObject([{ what: 'Secret hubble-system/configserversecret', action: 'change' }])
    expect(planned.changes[0]?.fields.map(formatFieldChange)).toEqual([
      '- data.extra  1 bytes',
      '~ data.key.pem  5 → 16 bytes',
      '+ data.salt  21 bytes',
    ])
    expect(JSON.stringify(planned.changes)).not.toContain('swordfish')
    expect(target.calls.filter((call) => call.startsWith('PATCH'))).toEqual([expect.stringContaining('dryRun=All')])
    expect(dataOf(target)).toEqual({ 'key.pem': 'other', extra: 'x' })
    expect(await planned.apply(never())).toEqual(['Secret hubble-system/configserversecret'])
    expect(dataOf(target)).toEqual({ 'key.pem': 'config-swordfish', salt: 'config-swordfish-salt' })
  })

  it('makes what is not there, and does nothing about what is as in the backup', async () => {
    await using target = await startKubernetesDouble(paletteObjects())
    const archive = await backUp(target)
    target.store.remove('Secret', NAMESPACE, 'configserversecret')
    using client = clientOf(target)
    const objects = [CONFIG, 'hubble-system/secrets/msgbroker-secret']
    const planned = await planObjects(streamOf(archive), { client, objects, signal: never() })
    expect(planned.changes.map(({ action }) => action)).toEqual(['create', 'none'])
    expect(target.store.find('Secret', NAMESPACE, 'configserversecret')).toBeUndefined()
    await planned.apply(never())
    expect(dataOf(target)).toMatchObject({ 'key.pem': 'config-swordfish' })
  })

  it('does not overwrite what somebody has changed since the plan', async () => {
    await using target = await startKubernetesDouble(paletteObjects())
    const archive = await backUp(target)
    target.store.put(secret('configserversecret', { 'key.pem': 'other' }))
    using client = clientOf(target)
    const planned = await planObjects(streamOf(archive), { client, objects: [CONFIG], signal: never() })
    target.store.put(secret('configserversecret', { 'key.pem': 'newer' }))
    expect(await errorOf(planned.apply(never()))).toMatchObject({ code: 'unavailable', retryable: true })
    expect(dataOf(target)).toEqual({ 'key.pem': 'newer' })
  })

  it('refuses accounts, key files, certificates, records of Helm, and workloads', async () => {
    const cert = { ...secret('public', {}), type: 'kubernetes.io/tls' }
    const mongoTls = secret('mongo-tls', { 'ca.crt': 'x' })
    await using target = await startKubernetesDouble([...paletteObjects(), cert, mongoTls])
    const archive = await backUp(target, [NAMESPACE, 'default'])
    using client = clientOf(target)
    const refusal = (object: string) =>
      errorOf(planObjects(streamOf(archive), { client, objects: [object], signal: never() }))
    for (const object of [
      'hubble-system/secrets/public',
      'hubble-system/secrets/mongo-tls',
      'default/secrets/sh.helm.release.v1.hubble.v2',
      'hubble-system/deployments.apps/auth',
    ]) {
      expect(await refusal(object), object).toMatchObject({
        code: 'refused',
        message: expect.stringContaining('is not put back'),
      })
    }
    expect(await refusal('hubble-system/secrets/spectromongosecret')).toMatchObject({ code: 'not_found' })
  })

  it('names what the backup holds when it holds not what was asked for', async () => {
    await using target = await startKubernetesDouble(paletteObjects())
    const archive = await backUp(target)
    using client = clientOf(target)
    const asked = planObjects(streamOf(archive), { client, objects: ['configserversecret'], signal: never() })
    expect(await errorOf(asked)).toMatchObject({
      code: 'not_found',
      hint: expect.stringContaining('hubble-system/secrets/configserversecret'),
    })
  })

  it('gives the words of the server when it would refuse the change', async () => {
    await using target = await startKubernetesDouble(paletteObjects())
    const archive = await backUp(target)
    target.store.put({ ...secret('configserversecret', { 'key.pem': 'other' }), immutable: true })
    using client = clientOf(target)
    expect(await errorOf(planObjects(streamOf(archive), { client, objects: [CONFIG], signal: never() }))).toMatchObject(
      {
        code: 'refused',
        message: expect.stringContaining('field is immutable'),
      },
    )
  })
})

async function backUp(double: KubernetesDouble, namespaces?: readonly string[]): Promise<Buffer> {
  using client = clientOf(double)
  const wanted = ['configserversecret', 'msgbroker-secret'].map((name) => ({ namespace: NAMESPACE, name }))
  const source = createKubernetesSource({
    client,
    namespace: NAMESPACE,
    kubernetes: { secrets: wanted, optionalSecrets: [], helmReleases: [] },
    clock: systemClock,
    ...(namespaces ? { namespaces } : {}),
  })
  for await (const artifact of source.read({ signal: never() })) return await collect(artifact.body)
  throw new Error('there was no artifact')
}

function clientOf({ url, directory }: KubernetesDouble): KubernetesClient {
  const access = findAccess({ server: url, serviceAccountDirectory: directory }, {})
  if (!access) throw new Error('there is no access')
  return new KubernetesClient(access, systemClock)
}

function dataOf({ store }: KubernetesDouble): Record<string, string> {
  const data = Object(store.find('Secret', NAMESPACE, 'configserversecret')?.['data'])
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(String(value), 'base64').toString()]),
  )
}

function never(): AbortSignal {
  return new AbortController().signal
}
