import { bech32 } from '@scure/base'
import { Secret } from '../../core/secret.ts'
import type { EncryptionConfig } from '../config.ts'
import type { Path } from '../document.ts'
import type { Resolved } from '../references.ts'
import type { Reporter } from '../reporter.ts'
import type { ConfigFileValue } from '../schema.ts'

type RawPolicy = Resolved<ConfigFileValue>['resource']['backup_policy'][string]

/** The recipients of a policy, each proven to be a public key that can be encrypted for. */
export function buildEncryption(raw: RawPolicy, path: Path, report: Reporter): EncryptionConfig | undefined {
  if (!raw.encryption) return undefined
  const { age_recipients: recipients } = raw.encryption
  const place = [...path, 'encryption', 'age_recipients']
  recipients.forEach((recipient, index) => {
    const problem = problemOf(recipient)
    if (problem) {
      report.error({ path: [...place, index], summary: 'Invalid age recipient', detail: problem })
    } else if (recipients.indexOf(recipient) !== index) {
      report.error({ path: [...place, index], summary: 'Repeated element', detail: 'It stands twice in the list.' })
    }
  })
  return { ageRecipients: recipients }
}

/**
 * Each run would say so after the fact. The agent gives its runs no other identity: PALETTE_BACKUP_AGE_IDENTITY is for
 * the command line.
 */
export function warnOfUnopened(
  raw: RawPolicy,
  { provider }: Resolved<ConfigFileValue>,
  path: Path,
  report: Reporter,
): void {
  const level = raw.verify_after_backup
  if (level === 'content' || !raw.encryption || provider.palette.age_identity !== undefined) return
  const detail =
    `The agent has no identity that opens what it encrypts: each of its backups is read back and compared, and "${level}" ` +
    'is not done. Set provider.palette.age_identity; or write "content", and run palette-backup verify where the identity is.'
  report.warning({ path: [...path, 'verify_after_backup'], summary: 'Verification without an identity', detail })
}

export function buildIdentity(text: string | undefined): Secret | undefined {
  return text === undefined ? undefined : new Secret(text)
}

/** X25519 and the hybrid keys of age 1.3, by prefix, with their bytes: their identity is a text that a run can be given. */
const KEY_BYTES: ReadonlyMap<string, number> = new Map([
  ['age', 32],
  ['age1pq', 1216],
])

function problemOf(recipient: string): string | undefined {
  if (recipient.startsWith('AGE-SECRET-KEY-')) {
    return 'This is the identity, the secret half. Write the public key, age1..., which age-keygen -y prints, and take this one out of the file.'
  }
  if (recipient.startsWith('ssh-')) return 'SSH keys are not supported. Make an age key with age-keygen.'
  if (/\s/.test(recipient)) return 'Expected one public key, age1..., alone: each has its own place in the list.'
  if (/^age1(tag|tagpq|yubikey|se|tpm|fido2-hmac)1/.test(recipient)) {
    return 'Keys of hardware and plugins are not supported: a backup is proven and restored where the hardware is not.'
  }
  if (!recipient.startsWith('age1')) {
    return 'Expected an age public key, age1..., as age-keygen prints it. Passphrases are not supported: nobody is there to type one when a backup is made or proven.'
  }
  const decoded = bech32.decodeUnsafe(recipient, false)
  const wanted = decoded && KEY_BYTES.get(decoded.prefix)
  if (decoded && wanted !== undefined) {
    if (bech32.fromWordsUnsafe(decoded.words)?.length === wanted) return undefined
    return 'It is too short or too long for a key. age-keygen -y prints it again from the identity.'
  }
  return 'Its checksum is wrong: it was mistyped or cut off. age-keygen -y prints it again from the identity.'
}
