import { DAY_MS, formatDuration, HOUR_MS, MIB, parseDuration } from '../../core/units.ts'
import { expectedIntervalMs, nextDue } from '../../schedule/due.ts'
import type { PolicyConfig, ScheduleConfig } from '../config.ts'
import type { Path } from '../document.ts'
import type { Resolved } from '../references.ts'
import type { Reporter } from '../reporter.ts'
import type { ConfigFileValue } from '../schema.ts'
import { checkCleartext } from './cleartext.ts'
import { buildEncryption, warnOfUnopened } from './encryption.ts'
import { checkNamespace } from './kubernetes.ts'

type RawPolicy = Resolved<ConfigFileValue>['resource']['backup_policy'][string]

/** `now` is where looking for the next due time begins. */
export function buildPolicies(value: Resolved<ConfigFileValue>, now: Date, report: Reporter): PolicyConfig[] {
  return Object.entries(value.resource.backup_policy).map(([name, raw]) => {
    const path = ['resource', 'backup_policy', name]
    const schedule = buildSchedule(raw, path, now, report)
    const retentionDays = chooseRetention(raw, path, report)
    if (schedule && retentionDays !== undefined) checkRetention(schedule, retentionDays, path, now, report)
    checkDatabases(raw, path, report)
    const includeClusterResources = chooseMode(raw, path, report)
    for (const [index, namespace] of (raw.namespaces ?? []).entries()) {
      checkNamespace(namespace, [...path, 'namespaces', index], report)
    }
    const encryption = buildEncryption(raw, path, report)
    warnOfUnopened(raw, value, path, report)
    checkCleartext(raw, { value, holdsSecrets: includeClusterResources !== 'never' }, path, report)
    return {
      name,
      backupLocations: raw.backup_locations,
      schedule: schedule ?? { kind: 'cron', expression: '0 0 * * *' },
      retentionDays: retentionDays ?? 1,
      keepMinimum: raw.keep_minimum,
      ...(raw.keep ? { keep: raw.keep } : {}),
      catchUp: raw.catch_up,
      timeoutMs: parseDuration(raw.timeout) ?? 0,
      memoryLimitBytes: raw.memory_limit * MIB,
      includeDatabases: raw.include_databases,
      includeClusterResources,
      ...(raw.namespaces === undefined ? {} : { namespaces: raw.namespaces }),
      ...(raw.max_bytes_per_second === undefined ? {} : { maxBytesPerSecond: raw.max_bytes_per_second }),
      ...(raw.extend_snapshot_window === undefined ? {} : { extendSnapshotWindow: raw.extend_snapshot_window }),
      compressionLevel: raw.compression_level,
      ...(encryption ? { encryption } : {}),
      allowCleartext: raw.allow_cleartext,
      verifyAfterBackup: raw.verify_after_backup,
    }
  })
}

function buildSchedule(raw: RawPolicy, path: Path, now: Date, report: Reporter): ScheduleConfig | undefined {
  const { interval, schedule } = raw
  const hours = chooseHours(raw, path, report)
  if (schedule !== undefined) {
    const other = interval === undefined ? 'hours_of_day' : 'interval'
    if (interval !== undefined || hours !== undefined) {
      const detail = 'A policy has either schedule, or interval and hours_of_day. Remove one of the two.'
      report.error({ path: [...path, other], at: 'key', summary: 'Conflicting attributes', detail })
      return undefined
    }
    return checkCron(schedule, [...path, 'schedule'], now, report)
  }
  if (interval === undefined || hours === undefined) {
    const missing = interval === undefined ? 'interval' : 'hours_of_day'
    const detail = 'A policy needs interval and hours_of_day, or schedule as a cron expression.'
    report.error({ path: [...path, missing], at: 'key', summary: 'Missing required attribute', detail })
    return undefined
  }
  for (const [index, hour] of hours.entries()) {
    if (hours.indexOf(hour) === index) continue
    const detail = `${hour} stands twice in the list.`
    report.error({ path: [...path, 'hours_of_day', index], summary: 'Repeated element', detail })
  }
  return { kind: 'interval', intervalDays: interval, hoursOfDay: hours.toSorted((a, b) => a - b) }
}

/** The console's one hour stands for a list of it. */
function chooseHours(raw: RawPolicy, path: Path, report: Reporter): readonly number[] | undefined {
  const { hours_of_day: hours, hour_of_the_day: hour } = raw
  if (hour === undefined) return hours
  if (hours !== undefined) refuseBoth('hour_of_the_day', 'hours_of_day', path, report)
  return [hour]
}

/** Days; hours of the Terraform provider are rounded up to them. */
function chooseRetention(raw: RawPolicy, path: Path, report: Reporter): number | undefined {
  const { retention_period: days, expiry_in_hour: hours } = raw
  if (hours !== undefined) {
    if (days !== undefined) refuseBoth('expiry_in_hour', 'retention_period', path, report)
    return Math.ceil((hours * HOUR_MS) / DAY_MS)
  }
  if (days === undefined) {
    const detail = 'A policy needs retention_period: the days that a backup is kept.'
    report.error({ path: [...path, 'retention_period'], at: 'key', summary: 'Missing required attribute', detail })
  }
  return days
}

function refuseBoth(old: string, current: string, path: Path, report: Reporter): void {
  const detail = `"${old}" and "${current}" say the same thing. Keep ${current}.`
  report.error({ path: [...path, old], at: 'key', summary: 'Conflicting attributes', detail })
}

function checkCron(expression: string, path: Path, now: Date, report: Reporter): ScheduleConfig | undefined {
  const schedule: ScheduleConfig = { kind: 'cron', expression }
  const wanted = 'Expected five fields, minute hour day month weekday, as in "0 2 * * *".'
  try {
    if (nextDue(schedule, { after: now })) return schedule
    report.error({ path, summary: 'Schedule never comes', detail: 'There is no such day in any month.' })
  } catch (thrown) {
    const why = thrown instanceof Error ? explainCron(thrown.message) : ''
    report.error({ path, summary: 'Invalid schedule', detail: `${wanted}${why}` })
  }
  return undefined
}

/** The parser's own words, unless they speak of forms that are not taken here. */
function explainCron(message: string): string {
  return /\bparts\b/.test(message) ? '' : ` ${message.replace(/^CronPattern: /, '').replace(/\.?$/, '.')}`
}

/** Kept for less time than passes between two backups, the last one would go before the next one is there. */
function checkRetention(schedule: ScheduleConfig, days: number, path: Path, now: Date, report: Reporter): void {
  const intervalMs = expectedIntervalMs(schedule, { from: now })
  if (days * DAY_MS >= intervalMs) return
  const detail = `Up to ${formatDuration(intervalMs)} pass between two backups, and each is kept for ${days} days. Keep them longer.`
  report.error({ path: [...path, 'retention_period'], summary: 'Retention shorter than the interval', detail })
}

function chooseMode(raw: RawPolicy, path: Path, report: Reporter): PolicyConfig['includeClusterResources'] {
  const { include_cluster_resources_mode: mode, include_cluster_resources: include } = raw
  if (mode !== undefined && include !== undefined) {
    const detail = 'Both say the same thing. Keep include_cluster_resources_mode.'
    const place = [...path, 'include_cluster_resources']
    report.error({ path: place, at: 'key', summary: 'Conflicting attributes', detail })
  }
  if (include !== undefined) return include ? 'always' : 'never'
  return mode ?? 'auto'
}

/** Databases that are MongoDB's own. */
export const SERVER_DATABASES: readonly string[] = ['admin', 'local', 'config']

/** Characters that MongoDB forbids in a database's name on one system or another, and its limit of 63 bytes. */
export const DATABASE = /^[^/\\. "$*<>:|?\0]{1,63}$/

function checkDatabases({ include_databases: databases }: RawPolicy, path: Path, report: Reporter): void {
  databases.forEach((name, index) => {
    const place = [...path, 'include_databases', index]
    if (SERVER_DATABASES.includes(name)) {
      const detail = `"${name}" belongs to the server, not to Palette, and cannot be put back.`
      report.error({ path: place, summary: 'Database of the server', detail })
    } else if (!DATABASE.test(name)) {
      report.error({ path: place, summary: 'Invalid database name', detail: 'MongoDB has no database of this name.' })
    } else if (databases.indexOf(name) !== index) {
      report.error({ path: place, summary: 'Repeated element', detail: `"${name}" stands twice in the list.` })
    }
  })
}
