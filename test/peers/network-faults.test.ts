import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import { KIB, MIB } from '../../agent/core/units.ts'
import type { Location } from '../../agent/locations/location.ts'
import { createRetry } from '../../agent/locations/retry.ts'
import { openS3 } from '../../agent/locations/s3/s3-location.ts'
import { s3Config } from '../support/s3/open.ts'
import { PALETTE_ACTIONS } from '../support/s3/operation.ts'
import { collect, errorOf, sliced } from '../support/streams.ts'
import { until } from '../support/until.ts'
import type { Minio } from './servers/minio.ts'
import { startMinio } from './servers/minio.ts'
import { peersMissing } from './servers/peer.ts'
import type { Toxic, Toxiproxy } from './servers/toxiproxy.ts'
import { startToxiproxy } from './servers/toxiproxy.ts'

const { signal } = new AbortController()
const SILENCE_MS = 1500

describe.skipIf(peersMissing('minio', 'mc', 'toxiproxy'))('MinIO behind a bad network', () => {
  const bytes = randomBytes(20 * MIB)
  let minio: Minio
  let network: Toxiproxy
  let location: Location
  let heal: (() => Promise<void>)[] = []

  beforeAll(async () => {
    minio = await startMinio()
    await minio.createUser('limited', PALETTE_ACTIONS)
  })
  afterAll(() => minio?.[Symbol.asyncDispose]())
  beforeEach(async () => {
    network = await startToxiproxy(minio.url)
    location = await open(8)
  })
  afterEach(async () => {
    heal = []
    await location.close()
    await network.stop()
    expect(await minio.incompleteUploads()).toEqual([])
  })

  /** With less patience for each try than in a run. */
  const open = async (attempts: number): Promise<Location> => {
    const server = { ...minio, url: network.url, accessKey: 'limited', secretKey: 'limited-secret-key' }
    const retry = createRetry({ clock: systemClock, attempts, baseMs: 200, maxMs: 1000 })
    return await openS3(s3Config(server), { clock: systemClock, retry, silenceMs: SILENCE_MS })
  }
  const hurt = async (...toxics: readonly Toxic[]): Promise<void> => {
    for (const toxic of toxics) heal.push(await network.add(toxic))
  }
  const cure = async (): Promise<void> => {
    for (const one of heal.splice(0)) await one()
  }

  async function roundTrip(content = bytes): Promise<void> {
    expect(await location.put('key', sliced(content, MIB), { signal })).toEqual({ sizeBytes: content.length })
    expect((await collect(location.get('key', { signal }))).equals(content)).toBe(true)
    await location.delete('key', { signal })
  }

  it('takes its time', async () => {
    await hurt({ type: 'latency', stream: 'downstream', attributes: { latency: 300, jitter: 100 } })
    await roundTrip()
  })

  it('has 64 KiB/s in both directions', async () => {
    const attributes = { rate: 64 }
    await hurt({ type: 'bandwidth', stream: 'upstream', attributes })
    await hurt({ type: 'bandwidth', stream: 'downstream', attributes })
    await roundTrip(bytes.subarray(0, 300 * KIB))
  })

  it('cuts everything into small pieces', async () => {
    await hurt({
      type: 'slicer',
      stream: 'upstream',
      attributes: { average_size: 900, size_variation: 400, delay: 10 },
    })
    await roundTrip(bytes.subarray(0, 9 * MIB))
  })

  it('closes connections late', async () => {
    await hurt({ type: 'slow_close', stream: 'downstream', attributes: { delay: 700 } })
    await roundTrip()
  })

  it.each([
    ['the way there is reset', { type: 'reset_peer', stream: 'upstream', attributes: { timeout: 100 } }],
    ['the way back is reset', { type: 'reset_peer', stream: 'downstream', attributes: { timeout: 100 } }],
    ['the way there swallows everything', { type: 'timeout', stream: 'upstream', attributes: { timeout: 0 } }],
    ['the way back swallows everything', { type: 'timeout', stream: 'downstream', attributes: { timeout: 0 } }],
  ] as const)('goes on with an upload once %s no longer', async (_what, toxic) => {
    let curing: Promise<void> | undefined
    async function* body() {
      for (let at = 0; at < bytes.length; at += MIB) {
        if (at === 9 * MIB) {
          await hurt(toxic)
          curing = sleep(2500).then(cure)
        }
        yield bytes.subarray(at, at + MIB)
      }
    }
    expect(await location.put('key', body(), { signal })).toEqual({ sizeBytes: bytes.length })
    await curing
    expect((await collect(location.get('key', { signal }))).equals(bytes)).toBe(true)
  })

  it.each([
    ['is cut every 5 MiB', { type: 'limit_data', stream: 'downstream', attributes: { bytes: 5 * MIB } }],
    ['stands still', { type: 'timeout', stream: 'downstream', attributes: { timeout: 0 } }],
  ] as const)('goes on with a download that %s', async (_what, toxic) => {
    await location.put('key', sliced(bytes, MIB), { signal })
    const found: Uint8Array[] = []
    let hurting: Promise<void> | undefined
    let curing: Promise<void> | undefined
    for await (const chunk of location.get('key', { signal })) {
      hurting ??= hurt(toxic)
      // The proxy adds nothing to a connection that nobody reads from.
      await Promise.race([hurting, sleep(50)])
      if (toxic.type === 'timeout') curing ??= hurting.then(() => sleep(2500)).then(cure)
      found.push(Buffer.from(chunk))
    }
    await hurting
    await curing
    expect(Buffer.concat(found).equals(bytes)).toBe(true)
  })

  it.each([
    ['swallows everything', { type: 'timeout', stream: 'upstream', attributes: { timeout: 0 } }],
    ['resets everything', { type: 'reset_peer', stream: 'upstream', attributes: { timeout: 0 } }],
  ] as const)(
    'fails in the end when the network %s for good, and the upload can be discarded later',
    async (_what, toxic) => {
      await location.close()
      location = await open(2)
      const leftovers: Parameters<Location['discard']>[0][] = []
      async function* body() {
        for (let at = 0; at < bytes.length; at += MIB) {
          if (at === 9 * MIB) await hurt(toxic)
          yield bytes.subarray(at, at + MIB)
        }
      }
      const onLeftover = async (leftover: (typeof leftovers)[0]) => void leftovers.push(leftover)
      expect(await errorOf(location.put('key', body(), { signal, onLeftover }))).toMatchObject({
        name: 'Failure',
        code: 'unreachable',
        retryable: true,
        message: expect.stringMatching(/^storing key in offsite: /),
      })
      expect(await minio.incompleteUploads()).toHaveLength(1)
      await cure()
      for (const leftover of leftovers) await location.discard(leftover, { signal })
      await until('the upload to be gone', 5000, async () => (await minio.incompleteUploads()).length === 0)
    },
  )
})
