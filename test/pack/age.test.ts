import { randomBytes } from 'node:crypto'
import {
  Decrypter,
  Encrypter,
  generateHybridIdentity,
  generateX25519Identity,
  identityToRecipient,
} from 'age-encryption'
import { beforeAll, describe, expect, it } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import { decrypt } from '../../agent/pack/age/decrypt.ts'
import { encrypt } from '../../agent/pack/age/encrypt.ts'
import { collect, errorOf, sliced, streamOf } from '../support/streams.ts'
import { acceptsNoMutation } from './age-mutations.ts'

const CHUNK = 64 * 1024

let identity: string
let recipient: string
let other: string

beforeAll(async () => {
  identity = await generateX25519Identity()
  recipient = await identityToRecipient(identity)
  other = await generateX25519Identity()
})

const open = (bytes: Uint8Array, key = identity, pieces = 100_000) =>
  collect(decrypt(sliced(bytes, pieces), new Secret(key), 'a.zst.age'))

describe('encrypt and decrypt', () => {
  it.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 17])(
    'give back %d bytes however they come, and so does the library',
    async (size) => {
      const plain = randomBytes(size)
      for (const pieces of [977, CHUNK, 1_000_000]) {
        const sealed = await collect(encrypt(sliced(plain, pieces), [recipient]))
        expect(Buffer.compare(await open(sealed, identity, pieces), plain)).toBe(0)
        const library = new Decrypter()
        library.addIdentity(identity)
        expect(Buffer.compare(await library.decrypt(sealed), plain)).toBe(0)
      }
    },
  )

  it('opens what the library made', async () => {
    const library = new Encrypter()
    library.addRecipient(recipient)
    const plain = randomBytes(200_000)
    expect(Buffer.compare(await open(await library.encrypt(plain)), plain)).toBe(0)
  })

  it('is opened by the identity of any recipient, of any of the kinds, and by no other', async () => {
    const hybrid = await generateHybridIdentity()
    const recipients = [recipient, await identityToRecipient(hybrid)]
    const sealed = await collect(encrypt(streamOf(Buffer.from('plain')), recipients))
    for (const key of [identity, hybrid, `# comment\n\n${other}\r\n${identity}\n`]) {
      expect((await open(sealed, key)).toString()).toBe('plain')
    }
    expect(await errorOf(open(sealed, other))).toMatchObject({
      code: 'auth',
      message: expect.stringContaining('none of the 1 age identities given opens it'),
    })
  })

  it('asks for an identity when it has none', async () => {
    const sealed = await collect(encrypt(streamOf(Buffer.from('plain')), [recipient]))
    const error = await errorOf(collect(decrypt(streamOf(sealed), undefined, 'a.zst.age')))
    expect(error).toMatchObject({ code: 'config', message: 'a.zst.age is encrypted, and no age identity was given' })
  })

  it('refuses passphrases and says why', async () => {
    const library = new Encrypter()
    library.setScryptWorkFactor(10)
    library.setPassphrase('swordfish')
    expect(await errorOf(open(await library.encrypt('plain')))).toMatchObject({ code: 'unsupported' })
  })

  it.each([
    ['', 'it holds no key'],
    ['-----BEGIN AGE ENCRYPTED FILE-----', 'it is protected by a passphrase'],
    ['-----BEGIN OPENSSH PRIVATE KEY-----', 'SSH keys are not supported'],
    ['AGE-PLUGIN-YUBIKEY-1QQQ', 'plugins are not supported'],
    ['hunter2', 'key 1 of it is no age identity'],
    ['AGE-SECRET-KEY-1HUNTER2', 'key 1 of it is mistyped'],
  ])('explains the identity %j and quotes nothing of it', async (text, why) => {
    const sealed = await collect(encrypt(streamOf(Buffer.from('plain')), [recipient]))
    const error = await errorOf(open(sealed, text))
    expect(error).toMatchObject({ code: 'config', message: expect.stringContaining(why) })
    if (text.toLowerCase().includes('hunter2')) expect(String(error).toLowerCase()).not.toContain('hunter2')
  })

  it('finds every change, and says where', async () => {
    const sealed = await collect(encrypt(streamOf(randomBytes(3 * CHUNK)), [recipient]))
    const header = sealed.length - 3 * (CHUNK + 16)
    const second = header + CHUNK + 16
    const flipped = Buffer.from(sealed)
    flipped[second + 5] = (flipped[second + 5] ?? 0) ^ 1
    expect(await errorOf(open(flipped))).toMatchObject({
      code: 'damaged',
      message: `a.zst.age: age stream at byte ${second}: a chunk is not what was encrypted`,
    })
    const swapped = Buffer.concat([
      sealed.subarray(0, header),
      sealed.subarray(second, second + CHUNK + 16),
      sealed.subarray(header, second),
      sealed.subarray(second + CHUNK + 16),
    ])
    expect(await errorOf(open(swapped))).toMatchObject({ code: 'damaged' })
    for (const end of [10, header - 20, header, header + 7, second, second + CHUNK + 16, sealed.length - 1]) {
      expect(await errorOf(open(sealed.subarray(0, end))), String(end)).toMatchObject({ code: 'damaged' })
    }
    expect(await errorOf(open(Buffer.concat([sealed, Buffer.from('x')])))).toMatchObject({ code: 'damaged' })
  })

  // All 10,000 of them go with the suites against real servers (test/peers/age.test.ts).
  it('never crashes on, and never accepts, anything but what was encrypted', () => acceptsNoMutation(2500), 120_000)

  it('reads no more than a header can have of something that is none', async () => {
    let read = 0
    async function* endless() {
      yield Buffer.from('age-encryption.org/v1\n')
      for (; read < 1000; read += 1) yield Buffer.alloc(CHUNK, 'x')
    }
    const error = await errorOf(collect(decrypt(endless(), new Secret(identity), 'a')))
    expect(error).toMatchObject({ code: 'damaged' })
    expect(read).toBeLessThan(4)
  })
})
