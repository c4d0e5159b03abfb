import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import type { KubernetesAccess } from '../../agent/kubernetes/access.ts'
import { KubernetesClient } from '../../agent/kubernetes/client.ts'
import type { KubernetesObject, ObjectRef } from '../../agent/kubernetes/object.ts'
import { CONFIG_MAPS, DEPLOYMENTS, SECRETS, STATEFUL_SETS, secretText, valueAt } from '../../agent/kubernetes/object.ts'
import { errorOf } from '../support/streams.ts'

export interface KubernetesUnderTest extends AsyncDisposable {
  readonly access: KubernetesAccess
  /** The same server with a token it does not know. */
  readonly strangerAccess: KubernetesAccess
  readonly namespace: string
  create(...objects: readonly KubernetesObject[]): Promise<void>
}

/** What the agent relies on in the Kubernetes API; passed by the real server and by the double. */
export function testKubernetes(name: string, open: () => Promise<KubernetesUnderTest>): void {
  describe(`the Kubernetes API of ${name}`, () => {
    let server: KubernetesUnderTest
    let client: KubernetesClient
    const signal = new AbortController().signal
    const configMap = (key: string): ObjectRef => ({ resource: CONFIG_MAPS, namespace: server.namespace, name: key })

    beforeAll(async () => {
      server = await open()
      client = new KubernetesClient(server.access, systemClock)
    })
    afterAll(async () => {
      client?.[Symbol.dispose]()
      await server?.[Symbol.asyncDispose]()
    })

    it('gives an object as it is, with fields that the agent knows nothing of', async () => {
      const { namespace } = server
      await server.create({
        ...object('Secret', 'one', namespace),
        type: 'example.com/odd',
        data: { key: Buffer.from('välue\n').toString('base64') },
      })
      const found = await client.get({ resource: SECRETS, namespace, name: 'one' }, { signal })
      expect(found).toMatchObject({ apiVersion: 'v1', kind: 'Secret', type: 'example.com/odd' })
      expect(secretText(found, 'key')).toBe('välue\n')
    })

    it('tells what is absent from what is not', async () => {
      expect(await client.find(configMap('nowhere'), { signal })).toBeUndefined()
      expect(await client.find({ ...configMap('nowhere'), namespace: 'nowhere' }, { signal })).toBeUndefined()
      expect(await errorOf(client.get(configMap('nowhere'), { signal }))).toMatchObject({
        code: 'not_found',
        message: expect.stringContaining(`reading ConfigMap ${server.namespace}/nowhere`),
      })
    })

    it('lists more than a page, by name, each with its kind, and selects by labels', async () => {
      const names = Array.from({ length: 120 }, (_, index) => `map-${String(index).padStart(3, '0')}`)
      const maps = names.map((key, index) =>
        object('ConfigMap', key, server.namespace, { even: String(index % 2 === 0) }),
      )
      await server.create(...maps)
      const all = await collectNames(client, server.namespace, signal)
      expect(all.filter((key) => key.startsWith('map-'))).toEqual(names)
      const even = await collectNames(client, server.namespace, signal, 'even=true')
      expect(even).toEqual(names.filter((_, index) => index % 2 === 0))
      expect(await collectNames(client, 'nowhere', signal)).toEqual([])
    })

    it('changes what a patch names, removes what is null, and writes nothing in a dry run', async () => {
      const { namespace } = server
      await server.create({ ...object('ConfigMap', 'patched', namespace), data: { a: '1', b: '2' } })
      const change = { metadata: { annotations: { 'example.com/x': 'y' } }, data: { a: null, c: '3' } }
      const tried = await client.patch(configMap('patched'), change, { signal, dryRun: true })
      expect(tried['data']).toEqual({ b: '2', c: '3' })
      expect((await client.get(configMap('patched'), { signal }))['data']).toEqual({ a: '1', b: '2' })
      await client.patch(configMap('patched'), change, { signal })
      const after = await client.get(configMap('patched'), { signal })
      expect(after['data']).toEqual({ b: '2', c: '3' })
      expect(after.metadata.annotations).toMatchObject({ 'example.com/x': 'y' })
    })

    it('refuses to change an object that somebody else has changed meanwhile', async () => {
      await server.create({ ...object('ConfigMap', 'contended', server.namespace), data: { a: '1' } })
      const { metadata } = await client.get(configMap('contended'), { signal })
      await client.patch(configMap('contended'), { data: { a: '2' } }, { signal })
      const late = { metadata: { resourceVersion: metadata['resourceVersion'] }, data: { a: '3' } }
      expect(await errorOf(client.patch(configMap('contended'), late, { signal }))).toMatchObject({
        code: 'unavailable',
      })
    })

    it('creates once, and says so the second time', async () => {
      const made = object('ConfigMap', 'made', server.namespace)
      await client.create(configMap('made'), made, { signal, dryRun: true })
      expect(await client.find(configMap('made'), { signal })).toBeUndefined()
      await client.create(configMap('made'), made, { signal })
      expect(await errorOf(client.create(configMap('made'), made, { signal }))).toMatchObject({
        message: expect.stringContaining('already exists'),
      })
    })

    it('names why a change is refused', async () => {
      const { namespace } = server
      await server.create({ ...object('Secret', 'fixed', namespace), immutable: true, data: { key: 'YQ==' } })
      const ref = { resource: SECRETS, namespace, name: 'fixed' }
      expect(await errorOf(client.patch(ref, { data: { key: 'Yg==' } }, { signal, dryRun: true }))).toMatchObject({
        code: 'refused',
        message: expect.stringContaining('field is immutable'),
      })
    })

    it('says which kinds there are', async () => {
      const { resources, unread } = await client.namespacedResources({ signal })
      expect(unread).toEqual([])
      expect(resources).toEqual(expect.arrayContaining([SECRETS, CONFIG_MAPS, DEPLOYMENTS, STATEFUL_SETS]))
      expect(resources.map(({ kind }) => kind)).not.toContain('Scale')
      expect(resources.map(({ kind }) => kind)).not.toContain('Namespace')
      expect(await client.serverVersion({ signal })).toMatch(/^v1\./)
    })

    it('refuses a token it does not know', async () => {
      using stranger = new KubernetesClient(server.strangerAccess, systemClock)
      expect(await errorOf(stranger.get(configMap('one'), { signal }))).toMatchObject({ code: 'auth' })
    })
  })
}

function object(kind: string, name: string, namespace: string, labels: Record<string, string> = {}): KubernetesObject {
  return { apiVersion: 'v1', kind, metadata: { name, namespace, labels } }
}

async function collectNames(
  client: KubernetesClient,
  namespace: string,
  signal: AbortSignal,
  labelSelector?: string,
): Promise<string[]> {
  const names: string[] = []
  const list = client.list(CONFIG_MAPS, namespace, { signal, ...(labelSelector ? { labelSelector } : {}) })
  for await (const found of list) {
    expect(valueAt(found, 'kind')).toBe('ConfigMap')
    names.push(found.metadata.name)
  }
  return names
}
