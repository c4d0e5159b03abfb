import type { Config } from '../config/config.ts'
import type { InstallationFact } from '../core/events.ts'
import type { CommandContext } from './context.ts'
import { openInstallation } from './open-installation.ts'

export interface KnownInstallation {
  readonly facts: readonly InstallationFact[]
  readonly problems: readonly string[]
}

/** What a backup would know about the installation, asked of the cluster now. */
export async function lookAtInstallation(config: Config, context: CommandContext): Promise<KnownInstallation> {
  using opened = await openInstallation(config, context)
  const { facts, problems } = opened.installation
  return { facts, problems }
}

export function formatInstallation({ facts, problems }: KnownInstallation): string {
  const width = Math.max(0, ...facts.map(({ name }) => name.length))
  const found = facts.map(({ name, value, from }) => `  ${name.padEnd(width)}  ${value}  (${from})`)
  return `\nInstallation\n${[...found, ...problems.map((problem) => `  Warning: ${problem}`)].join('\n')}\n`
}
