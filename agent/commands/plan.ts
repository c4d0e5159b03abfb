import { readConfigFile } from '../config/load.ts'
import { formatPlan, planChanges } from '../config/plan.ts'
import type { Installation } from '../palette/installation.ts'
import { requireConfig } from './configuration.ts'
import type { CommandContext, CommonOptions, ExitCode } from './context.ts'
import { openInstallation } from './open-installation.ts'
import { printJson } from './outcome.ts'

export interface PlanCommand extends CommonOptions {
  /** The file that is in force now; without it everything is new. */
  readonly from?: string
  /** Ask the cluster what the file does not say. */
  readonly discover?: boolean
}

/** What would change if the file were applied. */
export async function planCommand(options: PlanCommand, context: CommandContext): Promise<ExitCode> {
  const after = await requireConfig(options, context)
  const before = options.from === undefined ? undefined : (await readConfigFile(options.from, context.env)).config
  const plan = planChanges(before, after)
  if (!options.discover) {
    if (options.json) printJson(plan, context)
    else context.stdout.write(formatPlan(plan))
    return 0
  }
  using opened = await openInstallation(after, context)
  const { facts, problems } = opened.installation
  if (options.json) printJson({ ...plan, installation: { facts, problems } }, context)
  else context.stdout.write(`${formatPlan(plan)}\n${formatInstallation(opened.installation)}`)
  return problems.length === 0 ? 0 : 3
}

function formatInstallation({ facts, problems }: Installation): string {
  const width = Math.max(0, ...facts.map(({ name }) => name.length))
  const found = facts.map(({ name, value, from }) => `  ${name.padEnd(width)}  ${value}  (${from})`)
  return `Installation\n${[...found, ...problems.map((problem) => `  Warning: ${problem}`)].join('\n')}\n`
}
