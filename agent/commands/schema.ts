import { editorSchema } from '../config/editor-schema.ts'
import type { CommandContext, ExitCode } from './context.ts'
import { printJson } from './outcome.ts'

/** The JSON Schema of the configuration file, for editors. */
export async function schemaCommand(context: CommandContext): Promise<ExitCode> {
  printJson(editorSchema(), context)
  return 0
}
