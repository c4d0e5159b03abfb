import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { BackupSummary } from '../core/events.ts'
import type { CallOptions, Location } from '../locations/location.ts'
import { replayable } from '../locations/location.ts'
import { readSmall } from './catalog.ts'
import { verifiedKey } from './keys.ts'
import type { VerifyOutcome } from './verify.ts'

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
  if (proof.level === 'decode' && (await levelOf(location, key, options)) === 'restore') return
  const bytes = Buffer.from(`${JSON.stringify({ format_version: 1, ...proof })}\n`)
  await location.put(key, replayable(bytes), options)
}

/** A backup that was found damaged is not proven any more. */
async function withdrawProof(
  location: Location,
  clusterName: string,
  { policy, backupId }: Named,
  options: CallOptions,
): Promise<void> {
  await location.delete(verifiedKey(clusterName, policy, backupId), options)
}

async function levelOf(location: Location, key: string, options: CallOptions): Promise<Proof['level'] | undefined> {
  if (!(await location.stat(key, options))) return undefined
  try {
    return Proof.parse(JSON.parse(Buffer.from(await readSmall(location, key, options)).toString())).level
  } catch {
    options.signal.throwIfAborted()
    return undefined
  }
}

/** Whether it was found not restorable; otherwise it could only not be told. */
export function isDamaged({ checks }: VerifyOutcome): boolean {
  return checks.some(({ failure }) => failure?.code === 'damaged' || failure?.code === 'not_found')
}

/** Keeps what a verification has proven, or takes back what an earlier one had. */
export async function keepOutcome(
  location: Location,
  clusterName: string,
  outcome: VerifyOutcome,
  proof: Omit<Proof, 'format_version' | 'level'>,
  options: CallOptions,
): Promise<void> {
  const { ok, level } = outcome
  if (!ok && isDamaged(outcome)) await withdrawProof(location, clusterName, outcome, options)
  if (!ok || (level !== 'decode' && level !== 'restore')) return
  await keepProof(location, clusterName, outcome, { ...proof, level }, options)
}

/** What the names of scratch databases begin with: the same for the same backups, so that leftovers are found again. */
export function scratchPrefix(...of: readonly string[]): string {
  return `palette_backup_scratch_${createHash('sha256').update(of.join('/')).digest('hex').slice(0, 8)}`
}
