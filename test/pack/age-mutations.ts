import { randomBytes } from 'node:crypto'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import fc from 'fast-check'
import { expect } from 'vitest'
import { Failure } from '../../agent/core/errors.ts'
import { Secret } from '../../agent/core/secret.ts'
import { decrypt } from '../../agent/pack/age/decrypt.ts'
import { encrypt } from '../../agent/pack/age/encrypt.ts'
import { collect, errorOf, sliced, streamOf } from '../support/streams.ts'

/** So many ways to change an age file, in its header and behind it: each must be refused with its reason. */
export async function acceptsNoMutation(mutations: number): Promise<void> {
  const identity = await generateX25519Identity()
  const sealed = await collect(encrypt(streamOf(randomBytes(700)), [await identityToRecipient(identity)]))
  const open = (bytes: Uint8Array) => collect(decrypt(sliced(bytes, 100_000), new Secret(identity), 'a.zst.age'))
  const mutation = fc.record({
    at: fc.nat(sealed.length - 1),
    cut: fc.nat(40),
    insert: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(Buffer.from('\n-> X25519 '))),
  })
  await fc.assert(
    fc.asyncProperty(mutation, async ({ at, cut, insert }) => {
      const changed = Buffer.concat([sealed.subarray(0, at), insert, sealed.subarray(at + cut)])
      if (changed.equals(sealed)) return
      const error = await errorOf(open(changed))
      expect(error).toBeInstanceOf(Failure)
      expect(error).toMatchObject({ code: expect.stringMatching(/^(damaged|unsupported|auth)$/) })
    }),
    { numRuns: mutations },
  )
}
