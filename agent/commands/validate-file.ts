import type { LoadedConfig } from '../config/load.ts'
import { readConfigFile } from '../config/load.ts'
import type { Diagnostic } from '../core/diagnostics.ts'
import { refusalOf } from '../sources/mongodb/connect.ts'
import type { CommandContext, CommonOptions } from './context.ts'

/** The file as every command reads it, and what of its connection string the driver refuses, which the agent does not load. */
export async function validateFile({ config: file }: CommonOptions, { env }: CommandContext): Promise<LoadedConfig> {
  const loaded = await readConfigFile(file, env)
  const { config, diagnostics, files } = loaded
  const refusal = config?.palette.mongodb && refusalOf(config.palette.mongodb)
  if (refusal === undefined) return loaded
  const problem: Diagnostic = {
    severity: 'error',
    summary: 'Invalid connection string',
    detail: `MongoDB's driver will refuse it: ${refusal}.`,
    path: ['provider', 'palette', 'mongodb', 'uri'],
  }
  return { diagnostics: [...diagnostics, problem], files }
}
