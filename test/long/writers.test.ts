import { describe, expect, it } from 'vitest'
import { whilePaletteIsStopped } from '../../agent/commands/stopped-palette.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { findAccess } from '../../agent/kubernetes/access.ts'
import { KubernetesClient } from '../../agent/kubernetes/client.ts'
import { REPLICAS_ANNOTATION } from '../../agent/palette/workloads.ts'
import { KubernetesWriters } from '../../agent/palette/writers.ts'
import { deployment, NAMESPACE, paletteObjects, WRITERS } from '../support/kubernetes/palette.ts'
import { type KubernetesDouble, startKubernetesDouble } from '../support/kubernetes/server.ts'
import { errorOf } from '../support/streams.ts'

const ALL = { ...WRITERS, msgbroker: 2, specman: 1, cleanup: 1 }

describe('the writers of Palette', () => {
  it('are every workload but MongoDB and this program', async () => {
    await using double = await installed()
    using writers = writersIn(double)
    const found = await writers.find({ signal: never() })
    expect(Object.fromEntries(found.map(({ name, replicas }) => [name, replicas]))).toEqual(ALL)
    expect(double.calls.some((call) => call.startsWith('PATCH'))).toBe(false)
  })

  it('are not MongoDB under another name either', async () => {
    const objects = paletteObjects().map((object) =>
      object.metadata.name === 'mongo' ? { ...object, metadata: { ...object.metadata, name: 'other' } } : object,
    )
    await using double = await startKubernetesDouble(objects)
    using writers = writersIn(double)
    expect((await writers.find({ signal: never() })).map(({ name }) => name)).not.toContain('other')
  })

  it('are stopped, remember what they had, and get it back', async () => {
    await using double = await installed()
    using writers = writersIn(double)
    const found = await writers.find({ signal: never() })
    await writers.stop(found, { signal: never() })
    expect(stateOf(double, 'Deployment', 'auth')).toEqual({ replicas: 0, remembered: '2' })
    expect(stateOf(double, 'StatefulSet', 'msgbroker')).toEqual({ replicas: 0, remembered: '2' })
    expect(stateOf(double, 'StatefulSet', 'mongo')).toEqual({ replicas: 3, remembered: undefined })
    expect(double.store.find('CronJob', NAMESPACE, 'cleanup')).toMatchObject({ spec: { suspend: true } })
    await writers.start(found, { signal: never() })
    expect(stateOf(double, 'Deployment', 'auth')).toEqual({ replicas: 2, remembered: undefined })
    expect(double.store.find('CronJob', NAMESPACE, 'cleanup')).toMatchObject({ spec: { suspend: false } })
  })

  it('are found and started by a process that did not stop them', async () => {
    await using double = await installed()
    using first = writersIn(double)
    await first.stop(await first.find({ signal: never() }), { signal: never() })
    using second = writersIn(double)
    const found = await second.find({ signal: never() })
    expect(Object.fromEntries(found.map(({ name, replicas }) => [name, replicas]))).toEqual(ALL)
    // Stopping once more must not forget what was remembered.
    await second.stop(found, { signal: never() })
    await second.start(found, { signal: never() })
    expect(stateOf(double, 'Deployment', 'auth')).toEqual({ replicas: 2, remembered: undefined })
  })

  it('leave alone what somebody has scaled to nothing before', async () => {
    await using double = await installed()
    double.store.put(deployment('cloud', 0))
    using writers = writersIn(double)
    const found = await writers.find({ signal: never() })
    await writers.stop(found, { signal: never() })
    await writers.start(found, { signal: never() })
    expect(stateOf(double, 'Deployment', 'cloud')).toEqual({ replicas: 0, remembered: undefined })
  })

  it('are waited for while their pods end', async () => {
    await using double = await installed()
    const owner = { kind: 'ReplicaSet', name: 'auth-77f9', controller: true }
    const pod = { name: 'auth-77f9-xyz', namespace: NAMESPACE, ownerReferences: [owner] }
    double.store.put({ apiVersion: 'v1', kind: 'Pod', metadata: pod })
    const told: string[] = []
    using writers = writersIn(double, (waits) => {
      if (waits === 3) double.store.remove('Pod', NAMESPACE, 'auth-77f9-xyz')
    })
    const found = await writers.find({ signal: never() })
    await writers.stop(found, { signal: never(), onProgress: (text) => told.push(text) })
    expect(told).toEqual(['stopping Palette: waiting for auth-77f9-xyz'])
  })

  it('that do not end are named, and everything runs again: nothing was restored', async () => {
    await using double = await installed()
    const owner = { kind: 'StatefulSet', name: 'specman', controller: true }
    const pod = { name: 'specman-stuck', namespace: NAMESPACE, ownerReferences: [owner] }
    double.store.put({ apiVersion: 'v1', kind: 'Pod', metadata: pod })
    using writers = writersIn(double)
    let restored = false
    const restoring = whilePaletteIsStopped(writers, { signal: never() }, async () => {
      restored = true
    })
    expect(await errorOf(restoring)).toMatchObject({
      code: 'unavailable',
      message: 'stopping the workloads of hubble-system: after 5m still specman-stuck',
      hint: expect.stringContaining('nothing has been restored yet'),
    })
    expect(restored).toBe(false)
    expect(stateOf(double, 'Deployment', 'auth')).toEqual({ replicas: 2, remembered: undefined })
  })

  it('that do not become ready are named, and the data is said to be restored', async () => {
    await using double = await installed()
    using writers = writersIn(double)
    const found = await writers.find({ signal: never() })
    await writers.stop(found, { signal: never() })
    double.store.podsReady = false
    expect(await errorOf(writers.start(found, { signal: never() }))).toMatchObject({
      message: expect.stringContaining('auth (0 of 2 ready)'),
      hint: expect.stringContaining('The data is restored'),
    })
    expect(stateOf(double, 'Deployment', 'auth')).toEqual({ replicas: 2, remembered: undefined })
  })

  it('stay stopped when the restore fails, and the operator is told how to go on', async () => {
    await using double = await installed()
    using writers = writersIn(double)
    const failing = whilePaletteIsStopped(writers, { signal: never() }, () => Promise.reject(new Error('disk is gone')))
    expect(await errorOf(failing)).toMatchObject({
      message: 'restoring: disk is gone',
      hint: expect.stringContaining('palette-backup resume'),
    })
    expect(stateOf(double, 'Deployment', 'auth')).toEqual({ replicas: 0, remembered: '2' })
  })

  it('cannot be stopped without the right to, and the rule is named', async () => {
    await using double = await installed()
    double.faults.deny({ verb: 'patch' })
    using writers = writersIn(double)
    const found = await writers.find({ signal: never() })
    expect(await errorOf(writers.stop(found, { signal: never() }))).toMatchObject({
      code: 'permission',
      hint: expect.stringContaining('verbs: ["patch"]'),
    })
  })
})

function installed(): Promise<KubernetesDouble> {
  const own = deployment('palette-backup', 1)
  const labels = { 'app.kubernetes.io/name': 'palette-backup' }
  return startKubernetesDouble([...paletteObjects(), { ...own, metadata: { ...own.metadata, labels } }])
}

/** Waits take no time and are counted; the clock goes on as if they had. */
function writersIn(double: KubernetesDouble, onWait: (waits: number) => void = () => undefined) {
  const access = findAccess({ server: double.url, serviceAccountDirectory: double.directory }, {})
  if (!access) throw new Error('there is no access')
  let [waits, elapsedMs] = [0, 0]
  const sleep = async (ms: number): Promise<void> => {
    waits += 1
    elapsedMs += ms
    onWait(waits)
  }
  const clock = { ...systemClock, sleep, monotonicMs: () => elapsedMs }
  const client = new KubernetesClient(access, clock)
  const writers = new KubernetesWriters({ client, namespace: NAMESPACE, mongodb: 'mongo', clock })
  return Object.assign(writers, { [Symbol.dispose]: () => client[Symbol.dispose]() })
}

function stateOf({ store }: KubernetesDouble, kind: string, name: string) {
  const object = store.find(kind, NAMESPACE, name)
  const spec = Object(object?.['spec'])
  return { replicas: spec.replicas, remembered: object?.metadata.annotations?.[REPLICAS_ANNOTATION] }
}

function never(): AbortSignal {
  return new AbortController().signal
}
