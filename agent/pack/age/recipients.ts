import { createHash } from 'node:crypto'
import { Decrypter, Encrypter, identityToRecipient } from 'age-encryption'
import { Failure } from '../../core/errors.ts'
import type { Secret } from '../../core/secret.ts'

/** An age header and the key of what follows it. */
export interface SealedHeader {
  readonly header: Uint8Array
  readonly fileKey: Uint8Array
}

/** How a manifest names a public key: `sha256:` and the first 8 bytes of the hash of its text. */
export function fingerprint(recipient: string): string {
  return `sha256:${createHash('sha256').update(recipient).digest('hex').slice(0, 16)}`
}

/** A fresh file key, wrapped for each of the recipients; the library makes keys and header, this program the payload. */
export async function sealHeader(recipients: readonly string[]): Promise<SealedHeader> {
  const encrypter = new Encrypter()
  for (const recipient of recipients) encrypter.addRecipient(recipient)
  let fileKey: Uint8Array | undefined
  // A recipient that writes nothing into the header and sees the key that the others are given.
  encrypter.addRecipient({
    wrapFileKey(key) {
      fileKey = Uint8Array.from(key)
      return []
    },
  })
  const empty = await encrypter.encrypt(new Uint8Array(0))
  if (!fileKey) throw new Error('the age library gave no file key')
  return { header: empty.subarray(0, empty.length - EMPTY_PAYLOAD_BYTES), fileKey }
}

/** Its nonce, and the tag of its only chunk. */
const EMPTY_PAYLOAD_BYTES = 16 + 16

/** The file key of a header. `where` names the artifact. */
export async function openHeader(header: Uint8Array, identity: Secret, where: string): Promise<Uint8Array> {
  const keys = parseIdentities(identity)
  const decrypter = new Decrypter()
  for (const key of keys) decrypter.addIdentity(key)
  let fileKey: Uint8Array
  try {
    fileKey = await decrypter.decryptHeader(header)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    if (!why.includes('no identity matched')) {
      throw new Failure(`${where}: its age header is damaged: ${why}`, { code: 'damaged' })
    }
    const mine = await Promise.all(keys.map(async (key) => fingerprint(await identityToRecipient(key))))
    throw new Failure(`${where}: none of the ${keys.length} age identities given opens it (${mine.join(', ')})`, {
      code: 'auth',
      hint: '`palette-backup show` tells by the same fingerprints for whom it was encrypted; give the identity of one of them.',
    })
  }
  if (fileKey.length === 16) return fileKey
  throw new Failure(`${where}: its age header is damaged: the file key has ${fileKey.length} bytes`, {
    code: 'damaged',
  })
}

/** Proves that the text of an identity file can be used, before anything is read with it. */
export function checkIdentities(identity: Secret): void {
  parseIdentities(identity)
}

function parseIdentities(identity: Secret): readonly string[] {
  const lines = identity
    .reveal()
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  if (lines.length === 0) throw unusable('it holds no key')
  return lines.map((line, index) => {
    if (/^AGE-SECRET-KEY-(PQ-)?1/.test(line)) return usable(line, index)
    if (line.includes('BEGIN AGE ENCRYPTED FILE')) {
      throw unusable('it is protected by a passphrase', 'Decrypt it first: age -d identity.age > identity.txt')
    }
    if (line.includes('PRIVATE KEY')) {
      throw unusable('SSH keys are not supported', 'Make an age key with age-keygen, and encrypt for it from now on.')
    }
    if (line.startsWith('AGE-PLUGIN-')) throw unusable('plugins are not supported')
    throw unusable(`key ${index + 1} of it is no age identity`)
  })
}

function usable(key: string, index: number): string {
  try {
    new Decrypter().addIdentity(key)
    return key
  } catch {
    // The library's message may quote the key.
    throw unusable(`key ${index + 1} of it is mistyped: its checksum is wrong`)
  }
}

function unusable(
  why: string,
  hint = 'It is the text that age-keygen writes: AGE-SECRET-KEY-1... on a line of its own.',
): Failure {
  return new Failure(`reading the age identity: ${why}`, { code: 'config', hint })
}
