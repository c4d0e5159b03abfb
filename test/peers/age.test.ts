import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import { decrypt } from '../../agent/pack/age/decrypt.ts'
import { encrypt } from '../../agent/pack/age/encrypt.ts'
import { acceptsNoMutation } from '../pack/age-mutations.ts'
import { collect, sliced } from '../support/streams.ts'
import { peerBinary, peersMissing } from './servers/peer.ts'

const run = promisify(execFile)

it('accepts none of 10,000 changed age files, and crashes on none', () => acceptsNoMutation(10_000))

/** The stock tool, in both directions; the format is only ours to follow. */
describe.skipIf(peersMissing('age', 'age-keygen'))('age', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'palette-backup-age-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  const sizes = [0, 1, 64 * 1024, 64 * 1024 + 1, 5_000_000]

  it.each([{ kind: [] }, { kind: ['-pq'] }])(
    'opens what this program encrypted, and the other way round: $kind',
    async ({ kind }) => {
      const keys = await Promise.all([0, 1].map((index) => keyPair(join(folder, `${kind}${index}`), kind)))
      const recipients = keys.map(({ recipient }) => recipient)
      for (const size of sizes) {
        const plain = randomBytes(size)
        const [file, opened, sealed] = ['ours.age', 'opened', 'theirs.age'].map((name) => join(folder, name))
        if (!file || !opened || !sealed) throw new Error('no names')
        await writeFile(file, await collect(encrypt(sliced(plain, 300_000), recipients)))
        for (const { identityFile } of keys) {
          await run(peerBinary('age'), ['-d', '-i', identityFile, '-o', opened, file])
          expect(Buffer.compare(await readFile(opened), plain)).toBe(0)
        }
        await run(peerBinary('age'), [...recipients.flatMap((one) => ['-r', one]), '-o', sealed, opened])
        for (const { identityFile } of keys) {
          const identity = new Secret(await readFile(identityFile, 'utf8'))
          const back = await collect(decrypt(sliced(await readFile(sealed), 50_000), identity, 'theirs.age'))
          expect(Buffer.compare(back, plain)).toBe(0)
        }
      }
    },
  )
})

async function keyPair(identityFile: string, kind: readonly string[]) {
  await run(peerBinary('age-keygen'), [...kind, '-o', identityFile])
  const { stdout } = await run(peerBinary('age-keygen'), ['-y', identityFile])
  return { identityFile, recipient: stdout.trim() }
}
