import type { Config, PolicyConfig } from '../config/config.ts'
import { readConfigFile } from '../config/load.ts'
import { type Diagnostic, formatDiagnostics } from '../core/diagnostics.ts'
import { Failure } from '../core/errors.ts'
import type { CommandContext, CommonOptions } from './context.ts'
import { Explained, printJson } from './outcome.ts'

/** The configuration of the file; an invalid one is explained and ends the command with exit code 2. */
export async function requireConfig(options: CommonOptions, context: CommandContext): Promise<Config> {
  return (await requireLoaded(options, context)).config
}

/** The same, with the warnings. */
export async function requireLoaded(
  options: CommonOptions,
  context: CommandContext,
): Promise<{ readonly config: Config; readonly diagnostics: readonly Diagnostic[] }> {
  const { config, diagnostics } = await readConfigFile(options.config, context.env)
  if (config) return { config, diagnostics }
  throw explainRefusal(diagnostics, options, context)
}

/** Prints what is wrong with a configuration; what it returns is to be thrown. */
export function explainRefusal(
  diagnostics: readonly Diagnostic[],
  { json }: Pick<CommonOptions, 'json'>,
  context: CommandContext,
): Explained {
  if (json) printJson({ diagnostics }, context)
  else context.stderr.write(formatDiagnostics(diagnostics))
  return new Explained()
}

export function requirePolicy(config: Config, name: string): PolicyConfig {
  const policy = config.policies.find((one) => one.name === name)
  if (policy) return policy
  throw new Failure(`there is no backup_policy named ${name}`, { code: 'config', hint: nameList(config.policies) })
}

/** The named policy, or the only one. */
export function choosePolicy(config: Config, name: string | undefined): PolicyConfig {
  if (name !== undefined) return requirePolicy(config, name)
  const [only, ...others] = config.policies
  if (only && others.length === 0) return only
  throw new Failure('which backup_policy? Name one', { code: 'config', hint: nameList(config.policies) })
}

export function requireLocationName(config: Config, name: string): string {
  if (config.locations.some((one) => one.name === name)) return name
  throw new Failure(`there is no backup_storage_location named ${name}`, {
    code: 'config',
    hint: nameList(config.locations),
  })
}

function nameList(things: readonly { readonly name: string }[]): string {
  return things.length === 0 ? 'The file names none.' : `The file names ${things.map(({ name }) => name).join(', ')}.`
}
