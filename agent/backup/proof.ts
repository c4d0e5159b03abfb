import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { BackupSummary } from '../core/events.ts'
import type { CallOptions, Location } from '../locations/location.ts'
import { replayable } from '../locations/location.ts'
import { readSmall } from './catalog.ts'
import { damagedKey, verifiedKey } from './keys.ts'
import { type VerifyOutcome, whatIsWrong } from './verify.ts'
import { VERIFY_LEVELS } from './verify-level.ts'

/**
 * `<backup_id>.verified.json`: that a backup was proven restorable, how far and when. Only `decode` and `restore` are
 * kept: that its bytes are those that were written is true of every backup.
 */
const Proof = z.strictObject({
  format_version: z.literal(1),
  level: z.enum(['decode', 'restore']),
  verified_at: z.iso.datetime(),
  tool_version: z.string(),
})
export type Proof = Readonly<z.infer<typeof Proof>>

/** `<backup_id>.damaged.json`: that a verification has found it not restorable, and why. */
const Damage = z.strictObject({
  format_version: z.literal(1),
  /** That it failed; a later one of this level or a higher one takes it back. */
  level: z.enum(VERIFY_LEVELS),
  found_at: z.iso.datetime(),
  tool_version: z.string(),
  reason: z.string(),
})
export type Damage = Readonly<z.infer<typeof Damage>>

type Named = Pick<BackupSummary, 'policy' | 'backupId'>

/** Keeps the newest proof of the highest level. */
export async function keepProof(
  location: Location,
  clusterName: string,
  { policy, backupId }: Named,
  proof: Omit<Proof, 'format_version'>,
  options: CallOptions,
): Promise<void> {
  const key = verifiedKey(clusterName, policy, backupId)
  if (proof.level === 'decode' && (await readFact(location, key, Proof, options))?.level === 'restore') return
  await location.put(key, replayable(encode(proof)), options)
}

/** What a verification has proven or found wrong; undefined where none has, or what it wrote cannot be read. */
export async function readProof(
  location: Location,
  clusterName: string,
  { policy, backupId }: Named,
  options: CallOptions,
): Promise<{ readonly proof: Proof | undefined; readonly damage: Damage | undefined }> {
  const [proof, damage] = await Promise.all([
    readFact(location, verifiedKey(clusterName, policy, backupId), Proof, options),
    readFact(location, damagedKey(clusterName, policy, backupId), Damage, options),
  ])
  return { proof, damage }
}

async function readFact<T>(
  location: Location,
  key: string,
  shape: z.ZodType<T>,
  options: CallOptions,
): Promise<T | undefined> {
  if (!(await location.stat(key, options))) return undefined
  try {
    return shape.parse(JSON.parse(Buffer.from(await readSmall(location, key, options)).toString()))
  } catch {
    options.signal.throwIfAborted()
    return undefined
  }
}

/** Whether it was found not restorable; otherwise it could only not be told. */
export function isDamaged({ checks }: VerifyOutcome): boolean {
  return checks.some(({ failure }) => failure?.code === 'damaged' || failure?.code === 'not_found')
}

/** Keeps what a verification has proven, or takes back what an earlier one had and says what it has found. */
export async function keepOutcome(
  location: Location,
  clusterName: string,
  outcome: VerifyOutcome,
  proof: Omit<Proof, 'format_version' | 'level'>,
  options: CallOptions,
): Promise<void> {
  const { policy, backupId, ok, level } = outcome
  const failed = outcome.checks.find((check) => !check.ok)
  const key = damagedKey(clusterName, policy, backupId)
  if (failed && isDamaged(outcome)) {
    const { verified_at: found_at, tool_version } = proof
    const damage = { level: failed.level, found_at, tool_version, reason: whatIsWrong(outcome) }
    // This first: a backup that is neither proven nor damaged would be taken for a good one.
    await location.put(key, replayable(encode(damage)), options)
    await location.delete(verifiedKey(clusterName, policy, backupId), options)
  }
  if (!ok) return
  const before = await readFact(location, key, Damage, options)
  if (before && VERIFY_LEVELS.indexOf(before.level) <= VERIFY_LEVELS.indexOf(level)) await location.delete(key, options)
  if (level !== 'decode' && level !== 'restore') return
  await keepProof(location, clusterName, outcome, { ...proof, level }, options)
}

function encode(fact: object): Buffer {
  return Buffer.from(`${JSON.stringify({ format_version: 1, ...fact })}\n`)
}

/** What the names of scratch databases begin with: the same for the same backups, so that leftovers are found again. */
export function scratchPrefix(...of: readonly string[]): string {
  return `palette_backup_scratch_${createHash('sha256').update(of.join('/')).digest('hex').slice(0, 8)}`
}
