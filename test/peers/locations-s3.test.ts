import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import { Failure } from '../../agent/core/errors.ts'
import { MIB } from '../../agent/core/units.ts'
import { openLocation } from '../../agent/locations/open-location.ts'
import { locationConformance } from '../conformance/location.ts'
import { openPatientS3, s3Config } from '../support/s3/open.ts'
import { PALETTE_ACTIONS } from '../support/s3/operation.ts'
import { collect, errorOf, sliced } from '../support/streams.ts'
import type { Minio } from './servers/minio.ts'
import { startMinio } from './servers/minio.ts'
import { peersMissing } from './servers/peer.ts'
import { startRcloneS3, startVersitygw } from './servers/s3-gateways.ts'

const signal = new AbortController().signal

describe.skipIf(peersMissing('minio', 'mc'))("S3 under Palette's policy", () => {
  locationConformance('MinIO, a user with the six actions', async () => {
    const minio = await startMinio()
    const user = await minio.createUser('limited', PALETTE_ACTIONS)
    return {
      location: await openPatientS3(user, { folder: 'prod/palette' }),
      cleanUp: async () => await minio[Symbol.asyncDispose](),
      hidden: () => minio.incompleteUploads(),
    }
  })
})

describe.skipIf(peersMissing('minio', 'mc'))('MinIO', () => {
  let minio: Minio
  beforeAll(async () => {
    minio = await startMinio()
  })
  afterAll(() => minio?.[Symbol.asyncDispose]())

  it.each(['SIGTERM', 'SIGKILL'] as const)('is restarted with %s while a body is on its way', async (kill) => {
    const user = await minio.createUser(`restart-${kill.toLowerCase()}`, PALETTE_ACTIONS)
    const location = await openLocation(s3Config(user), { clock: systemClock })
    const bytes = randomBytes(40 * MIB)
    let restarted: Promise<void> | undefined
    async function* body() {
      for (let at = 0; at < bytes.length; at += MIB) {
        if (at === 17 * MIB) restarted = minio.stop(kill).then(() => minio.restart())
        yield bytes.subarray(at, at + MIB)
      }
    }
    expect(await location.put(`restarted/${kill}`, body(), { signal })).toEqual({ sizeBytes: bytes.length })
    await restarted
    expect((await collect(location.get(`restarted/${kill}`, { signal }))).equals(bytes)).toBe(true)
    expect(await minio.incompleteUploads()).toEqual([])
    await location.close()
  })

  it('gives a role for the keys of a user', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_STS', minio.url)
    const user = await minio.createUser('assumes', PALETTE_ACTIONS)
    const arn = 'arn:aws:iam::111122223333:role/palette-backup'
    const location = await openPatientS3(user, { credentialType: 'sts', arn, externalId: 'prod' })
    const bytes = randomBytes(9 * MIB)
    await location.put('assumed', sliced(bytes, MIB), { signal })
    expect((await collect(location.get('assumed', { signal }))).equals(bytes)).toBe(true)
    vi.unstubAllEnvs()
    await location.close()
  })

  it('lists 12,000 keys whole', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'palette-backup-many-'))
    const names = await writeMany(folder)
    await minio.mc('cp', '--quiet', '--recursive', `${folder}/`, `peer/${minio.bucket}/many/`)
    await rm(folder, { recursive: true })
    const location = await openPatientS3(await minio.createUser('lists', PALETTE_ACTIONS))
    expect((await location.list('many/', { signal })).map(({ key }) => key)).toEqual(names)
    await location.close()
  })

  it.each(PALETTE_ACTIONS)('works without %s as far as it can, and names what it lacks', async (missing) => {
    const name = `lacks-${missing.slice(3).toLowerCase()}`
    const rest = PALETTE_ACTIONS.filter((action) => action !== missing)
    const location = await openPatientS3(await minio.createUser(name, rest))
    const large = randomBytes(9 * MIB)
    async function* failing() {
      yield large
      throw new Failure('the body broke', { code: 'internal' })
    }
    const errors = [
      await errorOf(
        location.put(
          `${name}/x`,
          (async function* () {
            yield large
          })(),
          { signal },
        ),
      ),
      await errorOf(location.put(`${name}/y`, failing(), { signal })),
      await errorOf(location.list(`${name}/`, { signal })),
      await errorOf(collect(location.get(`${name}/x`, { signal }))),
      await errorOf(location.delete(`${name}/x`, { signal })),
    ]
    const denied = errors.filter((error) => error instanceof Failure && error.code === 'permission')
    for (const error of denied) expect((error as Failure).hint).toContain(missing)
    // An upload that fails is told as what it failed of; the missing right shows in what it leaves behind.
    if (missing === 's3:AbortMultipartUpload') expect(await minio.incompleteUploads()).toHaveLength(1)
    else if (missing !== 's3:ListMultipartUploadParts') expect(denied.length).toBeGreaterThan(0)
    await location.close()
  })
})

describe.skipIf(peersMissing('versitygw', 'rclone')).each([
  ['versitygw', startVersitygw],
  ['rclone serve s3', startRcloneS3],
] as const)('S3 over a folder', (name, start) => {
  locationConformance(name, async () => {
    const gateway = await start()
    return {
      location: await openPatientS3(gateway, { folder: 'prod/palette' }),
      cleanUp: () => gateway.stop(),
      hidden: () => gateway.incompleteUploads(),
    }
  })

  it(`${name} lists 12,000 keys whole`, async () => {
    const gateway = await start()
    await mkdir(join(gateway.folder, 'many'))
    const names = await writeMany(join(gateway.folder, 'many'))
    const location = await openPatientS3(gateway)
    expect((await location.list('many/', { signal })).map(({ key }) => key)).toEqual(names)
    await location.close()
    await gateway.stop()
  })
})

/** 12,000 small files; resolves with the keys they have below `many/`. */
async function writeMany(folder: string): Promise<string[]> {
  const names = Array.from({ length: 12_000 }, (_, index) => String(index).padStart(5, '0'))
  for (const name of names) await writeFile(join(folder, name), 'x')
  return names.map((name) => `many/${name}`)
}
