import { readConfigFile } from '../config/load.ts'
import { formatPlan, planChanges } from '../config/plan.ts'
import { requireConfig } from './configuration.ts'
import type { CommandContext, CommonOptions, ExitCode } from './context.ts'
import { printJson } from './outcome.ts'

export interface PlanCommand extends CommonOptions {
  /** The file that is in force now; without it everything is new. */
  readonly from?: string
}

/** What would change if the file were applied. */
export async function planCommand(options: PlanCommand, context: CommandContext): Promise<ExitCode> {
  const after = await requireConfig(options, context)
  const before = options.from === undefined ? undefined : (await readConfigFile(options.from, context.env)).config
  const plan = planChanges(before, after)
  if (options.json) printJson(plan, context)
  else context.stdout.write(formatPlan(plan))
  return 0
}
