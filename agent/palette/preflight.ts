import type { Edition } from './installation.ts'

/** Of a backup, or of the installation it is to be restored into. */
export interface Side {
  readonly edition?: Edition | undefined
  readonly version?: string | undefined
}

export interface Preflight {
  /** Why the restore must not be. */
  readonly refusals: readonly string[]
  /** What could not be compared. */
  readonly warnings: readonly string[]
}

const NAMES: Readonly<Record<Edition, string>> = { palette: 'Palette', vertex: 'VerteX' }

/** Palette reads data of its own and of earlier versions, and never that of the other edition. */
export function preflight(backup: Side, target: Side): Preflight {
  const refusals: string[] = []
  const warnings: string[] = []
  if (backup.edition === undefined || target.edition === undefined) {
    const unknown = backup.edition === undefined ? 'the backup' : 'the target'
    warnings.push(`whether ${unknown} is of Palette or VerteX is unknown: the editions could not be compared`)
  } else if (backup.edition !== target.edition) {
    refusals.push(`the backup is of ${NAMES[backup.edition]}, the target is ${NAMES[target.edition]}`)
  }
  const order = compareVersions(backup.version, target.version)
  if (order === undefined) {
    warnings.push(
      `the backup is of version ${backup.version ?? 'unknown'}, the target of version ${target.version ?? 'unknown'}: ` +
        'they could not be compared; the target must not be older',
    )
  } else if (order > 0) {
    refusals.push(`the backup is of Palette ${backup.version}, the target is older: ${target.version}`)
  }
  return { refusals, warnings }
}

/** Below 0 where `a` is older. Numbers between dots; what follows them (`-rc1`, `+build`) is left out. */
function compareVersions(a: string | undefined, b: string | undefined): number | undefined {
  const [left, right] = [numbersOf(a), numbersOf(b)]
  if (!left || !right) return undefined
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

function numbersOf(version: string | undefined): number[] | undefined {
  const numbers = /^v?(\d+(?:\.\d+)*)/.exec(version ?? '')?.[1]
  return numbers?.split('.').map(Number)
}
