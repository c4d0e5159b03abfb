import type { Config } from '../config/config.ts'
import type { Diagnostic } from '../core/diagnostics.ts'
import type { FailureData } from '../core/errors.ts'
import type { ValidateStep } from '../core/events.ts'
import type { LocationReport, ValidationReport } from '../http/agent-view.ts'
import type { Permission, RunOrder } from '../runs/request.ts'
import type { RunPool } from '../runs/run-pool.ts'

export interface ValidateOptions {
  readonly permission: Permission
  /** Aborted: the run is cancelled, and reported so. */
  readonly signal: AbortSignal
}

/** Uses one location of a configuration for real, in a run process. */
export async function validateLocation(
  pool: RunPool,
  config: Config,
  location: string,
  { permission, signal }: ValidateOptions,
): Promise<LocationReport> {
  return { location, ...(await validate(pool, { kind: 'validate', config, location, permission }, signal)) }
}

/** Looks for the installation of a configuration and reads from it, in a run process. */
export function validateInstallation(pool: RunPool, config: Config, signal: AbortSignal): Promise<ValidationReport> {
  return validate(pool, { kind: 'validate', config, permission: 'read' }, signal)
}

async function validate(pool: RunPool, order: RunOrder, signal: AbortSignal): Promise<ValidationReport> {
  const steps: ValidateStep[] = []
  const run = pool.submit(order, (event) => {
    if (event.type === 'validate.step') steps.push(event.step)
  })
  const cancel = (): void => run.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  if (signal.aborted) cancel()
  const { result, failure } = await run.done
  signal.removeEventListener('abort', cancel)
  const ok = result === 'success' && steps.every((step) => step.ok)
  return { ok, result, steps, ...(failure ? { failure } : {}) }
}

/** All of these locations at once. */
export function validateLocations(
  pool: RunPool,
  config: Config,
  names: readonly string[],
  options: ValidateOptions,
): Promise<LocationReport[]> {
  return Promise.all(names.map((name) => validateLocation(pool, config, name, options)))
}

/** An error for each location that cannot be used. */
export function locationDiagnostics(reports: readonly LocationReport[]): Diagnostic[] {
  return reports
    .filter((report) => !report.ok)
    .map((report) => ({
      severity: 'error',
      summary: 'Backup storage location cannot be used',
      detail: explain(report),
      path: ['resource', 'backup_storage_location', report.location],
    }))
}

/** An error where MongoDB cannot be found or read. */
export function installationDiagnostics(report: ValidationReport): Diagnostic[] {
  if (report.ok) return []
  const summary = "Palette's MongoDB or its Secrets cannot be backed up"
  return [{ severity: 'error', summary, detail: reasonOf(report).join('\n'), path: ['provider', 'palette'] }]
}

function explain(report: LocationReport): string {
  const advice = 'To apply the configuration without this check, set validate: false in the location.'
  return [...reasonOf(report), advice].join('\n')
}

function reasonOf({ steps, failure, result }: ValidationReport): string[] {
  const failed = steps.find((step) => !step.ok)
  const why: Partial<FailureData> = failed?.failure ?? failure ?? {}
  const reason = why.message ?? `the validation ended as ${result}`
  const step = failed ? `The step "${failed.name}" failed: ` : ''
  return [`${step}${reason}`, ...(why.hint === undefined ? [] : [why.hint])]
}
