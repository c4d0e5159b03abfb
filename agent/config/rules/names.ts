import type { Reporter } from '../reporter.ts'
import type { ConfigFileValue } from '../schema.ts'
import { suggest } from '../suggestion.ts'

/** Every name of a location that a policy uses is declared, and used once. */
export function checkNames({ resource }: ConfigFileValue, report: Reporter): void {
  const declared = Object.keys(resource.backup_storage_location)
  for (const [policy, { backup_locations: used }] of Object.entries(resource.backup_policy)) {
    used.forEach((name, index) => {
      const path = ['resource', 'backup_policy', policy, 'backup_locations', index]
      if (!declared.includes(name)) {
        const detail = `No backup_storage_location is named "${name}".${suggest(nameIn(name, declared), declared)}`
        report.error({ path, summary: 'Unknown backup storage location', detail })
      } else if (used.indexOf(name) !== index) {
        report.error({ path, summary: 'Repeated element', detail: `"${name}" stands twice in the list.` })
      }
    })
  }
}

/** An address, as it is written elsewhere, holds the name: `backup_storage_location.nas`. */
function nameIn(text: string, declared: readonly string[]): string {
  return text.split(/[^\w-]+/).find((part) => declared.includes(part)) ?? text
}

/**
 * A file that ends before its policies is valid in every other way, and would end all backups: that there are to be
 * none must be written.
 */
export function requirePolicies(written: unknown, report: Reporter): boolean {
  const resource = memberOf(written, 'resource')
  if (memberOf(resource, 'backup_policy')) return true
  const detail = 'Nothing would be backed up. Declare a backup_policy; if that is meant, write backup_policy: {}.'
  report.error({ path: ['resource', 'backup_policy'], at: 'key', summary: 'No backup policy', detail })
  return false
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined
}

/** What is declared and does nothing is most likely forgotten. */
export function warnOfUnused({ resource }: ConfigFileValue, report: Reporter): void {
  const policies = Object.values(resource.backup_policy)
  if (policies.length === 0) {
    const detail = 'Nothing is backed up on schedule. Declare a backup_policy.'
    report.warning({ path: ['resource'], at: 'key', summary: 'No backup policy', detail })
    return
  }
  for (const name of Object.keys(resource.backup_storage_location)) {
    if (policies.some((policy) => policy.backup_locations.includes(name))) continue
    const path = ['resource', 'backup_storage_location', name]
    const detail = `No backup_policy names "${name}" in its backup_locations.`
    report.warning({ path, at: 'key', summary: 'Unused backup storage location', detail })
  }
}
