import { formatDiagnostics } from '../core/diagnostics.ts'
import { failureData } from '../core/errors.ts'
import type { ValidateStep } from '../core/events.ts'
import { formatDuration } from '../core/units.ts'
import type { Permission } from '../locations/validate.ts'
import { validateLocation } from '../locations/validate.ts'
import { openLocations } from './compose.ts'
import { requireLocationName } from './configuration.ts'
import type { CommandContext, CommonOptions, ExitCode } from './context.ts'
import { formatFailure, printJson } from './outcome.ts'
import { validateFile } from './validate-file.ts'
import { validateInstallation } from './validate-installation.ts'

export interface ValidateCommand extends CommonOptions {
  /** Default: all. */
  readonly location?: string
  readonly permission: Permission
  /** Check the file alone. */
  readonly offline?: boolean
}

interface LocationResult {
  readonly location: string
  readonly ok: boolean
  readonly steps: readonly ValidateStep[]
}

/**
 * Checks the file, then looks for the installation and reads from it, then uses each location for real: writes, reads back,
 * lists, deletes. With a location named, that one alone.
 */
export async function validateCommand(options: ValidateCommand, context: CommandContext): Promise<ExitCode> {
  const { config, diagnostics } = await validateFile(options, context)
  if (!options.json) context.stderr.write(formatDiagnostics(diagnostics))
  const results: LocationResult[] = []
  let installation: Omit<LocationResult, 'location'> | undefined
  if (config && !options.offline) {
    if (options.location === undefined) {
      const steps: ValidateStep[] = []
      if (!options.json) context.stdout.write('installation:\n')
      const ok = await validateInstallation(config, context, (step) => {
        steps.push(step)
        if (!options.json) context.stdout.write(formatStep(step))
      })
      installation = { ok, steps }
    }
    const names = options.location
      ? [requireLocationName(config, options.location)]
      : config.locations.map(({ name }) => name)
    await using opened = await openLocations(config, names, { ...context, patience: 'brief' })
    for (const { name, failure } of opened.unusable) {
      results.push({
        location: name,
        ok: false,
        steps: [{ name: 'open', ok: false, durationMs: 0, failure: failureData(failure) }],
      })
      if (!options.json) context.stdout.write(`${name}: failed\n${formatFailure(failure)}`)
    }
    for (const location of opened.usable) {
      if (!options.json) context.stdout.write(`${location.name}:\n`)
      const { signal, clock } = context
      const prefix = `${config.palette.clusterName}/`
      const onStep = (step: ValidateStep): void => {
        if (!options.json) context.stdout.write(formatStep(step))
      }
      const { permission } = options
      const { ok, steps } = await validateLocation(location, { permission, signal, clock, prefix, onStep })
      results.push({ location: location.name, ok, steps })
    }
  }
  if (options.json)
    printJson(
      { valid: config !== undefined, diagnostics, locations: results, ...(installation ? { installation } : {}) },
      context,
    )
  if (!config) return 2
  return installation?.ok !== false && results.every((result) => result.ok) ? 0 : 1
}

function formatStep({ name, ok, durationMs, detail, failure }: ValidateStep): string {
  const line = `  ${ok ? 'ok    ' : 'FAILED'}  ${name}${detail ? `: ${detail}` : ''}  (${formatDuration(durationMs)})\n`
  return failure ? `${line}          ${failure.message}\n${failure.hint ? `          ${failure.hint}\n` : ''}` : line
}
