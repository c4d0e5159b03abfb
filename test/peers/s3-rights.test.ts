import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import { openLocation } from '../../agent/locations/open-location.ts'
import type { Permission } from '../../agent/locations/validate.ts'
import { validateLocation } from '../../agent/locations/validate.ts'
import { s3Config } from '../support/s3/open.ts'
import { PALETTE_ACTIONS } from '../support/s3/operation.ts'
import type { Minio } from './servers/minio.ts'
import { startMinio } from './servers/minio.ts'
import { peersMissing } from './servers/peer.ts'

/** The steps that fail without each action, by what the location is to be used for. Each names the action. */
const WITHOUT: Readonly<Record<string, Readonly<Record<'read' | 'write' | 'readwrite', readonly string[]>>>> = {
  's3:GetObject': {
    read: ['read'],
    write: ['write', 'write a large object'],
    readwrite: ['write', 'verify that it is gone', 'write a large object'],
  },
  's3:ListBucket': { read: ['list'], write: [], readwrite: ['list', 'verify that it is gone'] },
  's3:DeleteObject': { read: [], write: ['delete'], readwrite: ['delete'] },
  's3:PutObject': {
    read: [],
    write: ['write', 'write a large object'],
    readwrite: ['write', 'write a large object'],
  },
  's3:AbortMultipartUpload': {
    read: [],
    write: ['discard an unfinished upload', 'delete the large object'],
    readwrite: ['discard an unfinished upload', 'delete the large object'],
  },
  's3:ListMultipartUploadParts': {
    read: [],
    write: ['discard an unfinished upload'],
    readwrite: ['discard an unfinished upload'],
  },
}

describe.skipIf(peersMissing('minio', 'mc'))("validate, of an account with Palette's six actions", () => {
  let minio: Minio

  beforeAll(async () => {
    minio = await startMinio()
    // Something for who may only read.
    const location = await openLocation(s3Config(minio), { clock: systemClock })
    async function* manifest() {
      yield Buffer.from('{}')
    }
    await location.put('prod/nightly/20260101T000000Z-abcdef.manifest.json', manifest(), live())
    await location.close()
  })
  afterAll(() => minio?.[Symbol.asyncDispose]())

  it.each(['read', 'write', 'readwrite'] as const)('needs no other for %s', async (permission) => {
    const user = await minio.createUser(`all-${permission}`, PALETTE_ACTIONS)
    expect((await validate(user, permission)).filter(({ ok }) => !ok)).toEqual([])
  })

  describe.each(PALETTE_ACTIONS)('but not %s', (missing) => {
    it.each(['read', 'write', 'readwrite'] as const)('says so for %s, and names nothing else', async (permission) => {
      const rest = PALETTE_ACTIONS.filter((action) => action !== missing)
      const user = await minio.createUser(`${permission}-${missing.slice(-12).toLowerCase()}`.slice(0, 20), rest)
      const failed = (await validate(user, permission)).filter(({ ok }) => !ok)
      const steps = failed.filter(({ name }) => name !== 'clean up')
      expect(steps.map(({ name }) => name)).toEqual(WITHOUT[missing]?.[permission])
      for (const { failure } of steps) {
        expect(failure).toMatchObject({
          code: 'permission',
          hint: expect.stringMatching(new RegExp(`^Allow ${missing} on`)),
        })
      }
      // What cannot be removed without the right is named, and nothing but that.
      expect(failed.length > steps.length).toBe(
        ['s3:DeleteObject', 's3:AbortMultipartUpload'].includes(missing) && permission !== 'read',
      )
    })
  })
})

async function validate(user: Parameters<typeof s3Config>[0], permission: Permission) {
  const location = await openLocation(s3Config(user), { clock: systemClock, patience: 'brief' })
  const { steps } = await validateLocation(location, {
    ...live(),
    permission,
    clock: systemClock,
    prefix: 'prod/nightly/',
  })
  await location.close()
  return steps
}

function live() {
  return { signal: new AbortController().signal }
}
