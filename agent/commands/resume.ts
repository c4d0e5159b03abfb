import { Failure } from '../core/errors.ts'
import { requireConfig } from './configuration.ts'
import type { CommandContext, CommonOptions, ExitCode } from './context.ts'
import { openInstallation } from './open-installation.ts'
import { printJson } from './outcome.ts'
import { writersOf } from './restore-installation.ts'

/** Starts what a restore that broke off has left stopped, with the replicas that stand on it. */
export async function resumeCommand(options: CommonOptions, context: CommandContext): Promise<ExitCode> {
  const config = await requireConfig(options, context)
  const { signal, stderr, stdout } = context
  using opened = await openInstallation(config, context)
  if (!opened.client) {
    throw new Failure('starting the workloads of Palette: there is no Kubernetes API here', {
      code: 'config',
      hint: 'Run it in the cluster of Palette, or set provider.palette.kubernetes.server.',
    })
  }
  const writers = writersOf(config, opened, context)
  const writerOptions = { signal, onProgress: (text: string) => stderr.write(`${text}\n`) }
  const found = await writers.find(writerOptions)
  await writers.start(found, writerOptions)
  if (options.json) printJson({ running: found }, context)
  else stdout.write(`${found.length} workloads of ${config.palette.namespace} run\n`)
  return 0
}
