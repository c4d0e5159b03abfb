import { backupIdTime } from '../../agent/backup/backup-id.ts'

const RETENTION_MS = 30 * 86_400_000

/** A line of `list --json`. */
export interface Listed {
  readonly backupId: string
  readonly location: string
  readonly complete: boolean
}

/** Retention will delete it. */
export function isOld({ backupId }: Listed): boolean {
  return Date.now() - timeOf(backupId) > RETENTION_MS
}

/** The newest of those whose time has come; empty where there is none. */
export function newestOf(listed: readonly Listed[]): string {
  const ids = listed.map(({ backupId }) => backupId).filter((backupId) => timeOf(backupId) <= Date.now())
  return ids.toSorted().at(-1) ?? ''
}

export function timeOf(backupId: string): number {
  return backupIdTime(backupId)?.getTime() ?? Number.NaN
}
