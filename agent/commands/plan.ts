import { LARGEST_BYTES } from '../config/document.ts'
import { readConfigFile } from '../config/load.ts'
import { planChanges } from '../config/plan.ts'
import { readBounded } from '../config/read-bounded.ts'
import { type Diagnostic, formatDiagnostics } from '../core/diagnostics.ts'
import { Failure } from '../core/errors.ts'
import { askAgentForPlan } from './ask-agent.ts'
import { requireConfig, requireLoaded } from './configuration.ts'
import type { CommandContext, CommonOptions, ExitCode } from './context.ts'
import { Explained, printJson } from './outcome.ts'
import { formatInstallation, lookAtInstallation } from './plan-installation.ts'
import { explainPlan } from './plan-notes.ts'

export interface PlanCommand extends CommonOptions {
  /** The file that is in force now. */
  readonly from?: string
  /** Address of the running agent, which knows what is in force; without this and `from` everything is new. */
  readonly agent?: string
  /** Ask the cluster for what the file leaves out. */
  readonly discover?: boolean
  /** Bearer token for the agent. */
  readonly tokenFile?: string
}

/** What would change if the file were applied. */
export async function planCommand(options: PlanCommand, context: CommandContext): Promise<ExitCode> {
  if (options.agent !== undefined) return await planOfAgent(options, options.agent, context)
  const { config: after, diagnostics } = await requireLoaded(options, context)
  const before =
    options.from === undefined ? undefined : await requireConfig({ ...options, config: options.from }, context)
  const plan = planChanges(before, after)
  const installation = options.discover ? await lookAtInstallation(after, context) : undefined
  if (options.json) printJson({ ...plan, diagnostics, ...(installation ? { installation } : {}) }, context)
  else {
    if (diagnostics.length > 0) context.stderr.write(formatDiagnostics(diagnostics))
    context.stdout.write(explainPlan(plan, before, after, { now: context.clock.now() }))
    if (installation) context.stdout.write(formatInstallation(installation))
  }
  return installation && installation.problems.length > 0 ? 3 : 0
}

/** The agent reads the text with its own environment and its own secret files. */
async function planOfAgent(options: PlanCommand, agent: string, context: CommandContext): Promise<ExitCode> {
  if (options.from !== undefined) {
    throw new Failure('plan takes either --agent or --from, not both', { code: 'config' })
  }
  const content = await readBounded(options.config, LARGEST_BYTES).catch(async () => {
    // The same words as everywhere for a file that cannot be read.
    const { diagnostics } = await readConfigFile(options.config, context.env)
    context.stderr.write(formatDiagnostics(diagnostics))
    throw new Explained()
  })
  const answer = await askAgentForPlan(agent, content.toString('utf8'), options.tokenFile, context.signal)
  const report = { ...answer, diagnostics: answer.diagnostics.map((one) => inFile(one, options.config)) }
  if (options.json) printJson(report, context)
  else {
    if (report.diagnostics.length > 0) context.stderr.write(formatDiagnostics(report.diagnostics))
    context.stdout.write(report.text ?? '')
  }
  return report.ok ? 0 : 2
}

/** The agent read the text as its own file; the one who asks has another. */
function inFile(diagnostic: Diagnostic, file: string): Diagnostic {
  return diagnostic.range ? { ...diagnostic, range: { ...diagnostic.range, file } } : diagnostic
}
