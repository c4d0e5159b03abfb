import { createHash } from 'node:crypto'
import { backupIdTime } from './backup-id.ts'

/** What lies in a location, below its folder: see docs/layout.md. */
export function policyPrefix(clusterName: string, policy: string): string {
  return `${clusterName}/${policy}/`
}

export function manifestKey(clusterName: string, policy: string, backupId: string, complete: boolean): string {
  return `${policyPrefix(clusterName, policy)}${backupId}${complete ? COMPLETE : INCOMPLETE}`
}

/** The object whose presence keeps a backup from being deleted. */
export function pinKey(clusterName: string, policy: string, backupId: string): string {
  return `${policyPrefix(clusterName, policy)}${backupId}${PIN}`
}

/** The proof that a backup was found restorable. */
export function verifiedKey(clusterName: string, policy: string, backupId: string): string {
  return `${policyPrefix(clusterName, policy)}${backupId}${VERIFIED}`
}

/** The word of a verification that a backup is not restorable. */
export function damagedKey(clusterName: string, policy: string, backupId: string): string {
  return `${policyPrefix(clusterName, policy)}${backupId}${DAMAGED}`
}

export function artifactKey(clusterName: string, policy: string, backupId: string, file: string): string {
  return `${artifactPrefix(clusterName, policy, backupId)}${file}`
}

export function artifactPrefix(clusterName: string, policy: string, backupId: string): string {
  return `${policyPrefix(clusterName, policy)}${backupId}/`
}

export function runsPrefix(clusterName: string): string {
  return `${clusterName}/.runs/`
}

export function runKey(clusterName: string, runId: string): string {
  return `${runsPrefix(clusterName)}${runId}.json`
}

export function restoresPrefix(clusterName: string): string {
  return `${clusterName}/.restores/`
}

/** Where a restore into a target is on record. */
export function restoreKey(clusterName: string, target: string): string {
  return `${restoresPrefix(clusterName)}${createHash('sha256').update(target).digest('hex').slice(0, 12)}.json`
}

/** What `restoreKey` names a record. */
export const RESTORE_RECORD = /^[0-9a-f]{12}\.json$/

const COMPLETE = '.manifest.json'
const INCOMPLETE = '.partial.json'
const PIN = '.pin'
const VERIFIED = '.verified.json'
const DAMAGED = '.damaged.json'

/** What a key below a policy's prefix means; undefined for anything that is not ours. */
export type KeyMeaning =
  | { readonly kind: 'manifest'; readonly backupId: string; readonly complete: boolean }
  | { readonly kind: 'pin'; readonly backupId: string }
  | { readonly kind: 'verified'; readonly backupId: string }
  | { readonly kind: 'damaged'; readonly backupId: string }
  | { readonly kind: 'artifact'; readonly backupId: string; readonly file: string }

export function parseKey(prefix: string, key: string): KeyMeaning | undefined {
  const [name, file, ...deeper] = key.slice(prefix.length).split('/')
  if (name === undefined || deeper.length > 0) return undefined
  if (file !== undefined) return backupIdTime(name) ? { kind: 'artifact', backupId: name, file } : undefined
  for (const [ending, complete] of [
    [COMPLETE, true],
    [INCOMPLETE, false],
  ] as const) {
    const backupId = name.endsWith(ending) ? name.slice(0, -ending.length) : ''
    if (backupIdTime(backupId)) return { kind: 'manifest', backupId, complete }
  }
  for (const [ending, kind] of [
    [PIN, 'pin'],
    [VERIFIED, 'verified'],
    [DAMAGED, 'damaged'],
  ] as const) {
    const backupId = name.endsWith(ending) ? name.slice(0, -ending.length) : ''
    if (backupIdTime(backupId)) return { kind, backupId }
  }
  return undefined
}
