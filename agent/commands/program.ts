import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { VERIFY_LEVELS } from '../backup/verify-level.ts'
import { Failure } from '../core/errors.ts'
import { parseDuration, SECOND_MS } from '../core/units.ts'
import type { CommandContext, ExitCode } from './context.ts'
import { collectLessOften, saveMemory } from './memory-flags.ts'
import type { ProcessHooks } from './process-hooks.ts'

const DEFAULT_CONFIG = '/etc/palette-backup/palette-backup.yaml'

/**
 * The command line. Each command's code is loaded when it is called: the agent, which is always up, must not hold the
 * SDKs that only runs need.
 */
export function createProgram(context: CommandContext, hooks: ProcessHooks): (args: string[]) => Promise<ExitCode> {
  let exitCode: ExitCode = 0
  let json = false
  const program = new Command('palette-backup')
    .description('Scheduled, proven backups of a Helm-installed Palette or VerteX to FTP and S3')
    .version(context.toolVersion)
    .exitOverride()
    .configureOutput({
      writeOut: context.stdout.write,
      writeErr: (text) => {
        if (!json) context.stderr.write(text)
      },
    })
    .hook('preAction', (_, action) => {
      if (action.name() === 'agent') saveMemory()
      else collectLessOften()
    })

  const add = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .exitOverride()
      .addOption(
        new Option('-c, --config <file>', 'the configuration file')
          .env('PALETTE_BACKUP_CONFIG')
          .default(DEFAULT_CONFIG),
      )
      .option('--json', 'print one JSON document')
  const filtered = (command: Command): Command =>
    command
      .option('-p, --policy <name>', 'only this backup_policy')
      .option('-l, --location <name>', 'only this location')

  add('agent', 'run the schedule, serve metrics, reload the file when it changes')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on, 0 for any', parsePort, 9180)
    .option('--token-file <file>', 'bearer token for what changes something or reveals configuration')
    .option('--drain <time>', 'what backups that go on get to end by themselves at SIGTERM', parseTime, 20 * SECOND_MS)
    .action(async (options) => {
      const { runAgent } = await import('./agent.ts')
      exitCode = await runAgent({ ...options, drainMs: options.drain, configFile: options.config, ...hooks }, context)
    })
  add('backup', 'make a backup now')
    .argument('[policy]', 'the backup_policy; not needed when there is only one')
    .action(async (policy, options) => {
      const { backupCommand } = await import('./backup.ts')
      exitCode = await backupCommand({ ...options, policy }, context)
    })
  filtered(add('import', 'make a backup of an archive that mongodump has written, to keep, prove and restore it'))
    .argument('<archive>', 'a file of mongodump --archive, also with --gzip')
    .option('--taken-at <time>', 'when the dump was made, as 2026-11-24T02:00:00Z; default: the time of the file')
    .option('--identity-file <file>', 'age identity, to prove what is stored encrypted')
    .action(async (archive, options) => {
      const { importCommand } = await import('./import.ts')
      exitCode = await importCommand({ ...options, archive }, context)
    })
  filtered(add('list', 'list what is stored')).action(async (options) => {
    const { listCommand } = await import('./list.ts')
    exitCode = await listCommand(options, context)
  })
  filtered(add('show', 'show one backup'))
    .argument('[backup]', 'a backup id, or latest', 'latest')
    .action(async (backup, options) => {
      const { showCommand } = await import('./show.ts')
      exitCode = await showCommand({ ...options, backup }, context)
    })
  filtered(add('verify', 'prove stored backups by reading them'))
    .argument('[backup]', 'a backup id, latest, or all', 'latest')
    .option('--identity-file <file>', 'age identity that opens encrypted backups')
    .option(
      '--to-uri-env <variable>',
      'for level restore: variable with the connection string of a server to try it on',
    )
    .addOption(new Option('--level <level>', 'how far to go').choices(VERIFY_LEVELS).default('decode'))
    .action(async (backup, options) => {
      const { verifyCommand } = await import('./verify.ts')
      exitCode = await verifyCommand({ ...options, backup }, context)
    })
  filtered(add('restore', 'put a backup back'))
    .argument('[backup]', 'a backup id, or latest', 'latest')
    .option('--include <pattern...>', 'only these databases or collections: hubbledb.* or hubbledb.users')
    .option('--rename-database <old=new...>', 'put a database back under another name')
    .option('--rollback', 'put back what the target held before the last restore')
    .option('--no-safety-backup', 'do not back the target up first')
    .option('--identity-file <file>', 'age identity that opens encrypted backups')
    .option('--to-uri-env <variable>', 'environment variable with the connection string of another target')
    .option('--apply-secrets', 'put back the Secrets that Palette cannot do without, after the databases')
    .option('--objects <path...>', 'put back these Secrets and ConfigMaps, as namespace/secrets/name')
    .option('--dry-run', 'print the plan and stop')
    .option('--yes', 'do not ask for the typed confirmation')
    .action(async (backup, options) => {
      const { restoreCommand } = await import('./restore.ts')
      exitCode = await restoreCommand({ ...options, backup }, context)
    })
  add('resume', 'start the workloads of Palette that a broken-off restore has left stopped').action(async (options) => {
    const { resumeCommand } = await import('./resume.ts')
    exitCode = await resumeCommand(options, context)
  })
  filtered(add('prune', 'apply retention now'))
    .option('--dry-run', 'only say what would be deleted, and why')
    .option('--force', 'delete however many there are')
    .action(async (options) => {
      const { pruneCommand } = await import('./prune.ts')
      exitCode = await pruneCommand(options, context)
    })
  filtered(add('pin', 'keep a backup for good, whatever its age'))
    .argument('<backup>', 'a backup id, or latest')
    .option('--reason <text>', 'why, for people')
    .action(async (backup, options) => {
      const { pinCommand } = await import('./pin.ts')
      exitCode = await pinCommand({ ...options, backup, action: 'pin' }, context)
    })
  filtered(add('unpin', 'leave a backup to retention again'))
    .argument('<backup>', 'a backup id, or latest')
    .action(async (backup, options) => {
      const { pinCommand } = await import('./pin.ts')
      exitCode = await pinCommand({ ...options, backup, action: 'unpin' }, context)
    })
  add('validate', 'check the file, look for MongoDB and read from it, then use every location for real')
    .argument('[location]', 'only this location')
    .addOption(
      new Option('--permission <kind>', 'what to try').choices(['read', 'write', 'readwrite']).default('readwrite'),
    )
    .option('--offline', 'check the file alone')
    .action(async (location, options) => {
      const { validateCommand } = await import('./validate.ts')
      exitCode = await validateCommand({ ...options, location }, context)
    })
  add('plan', 'say what applying the file would change')
    .option('--from <file>', 'the file that is in force now')
    .option('--agent <url>', 'ask the running agent, as http://127.0.0.1:9180')
    .option('--token-file <file>', 'bearer token for the agent')
    .option('--discover', 'ask the cluster for what the file leaves out, and show where it was found')
    .action(async (options) => {
      const { planCommand } = await import('./plan.ts')
      exitCode = await planCommand(options, context)
    })
  program
    .command('schema')
    .description('print the JSON Schema of the configuration file')
    .action(async () => {
      const { schemaCommand } = await import('./schema.ts')
      exitCode = await schemaCommand(context)
    })
  program
    .command('run', { hidden: true })
    .description('perform one request from standard input; used by the agent')
    .action(async () => {
      const { runCommand } = await import('./run.ts')
      exitCode = await runCommand(context, hooks)
    })

  return async (args) => {
    // Looked for by hand: wrong usage is told before anything is known of a command's options.
    json = withoutRest(args).includes('--json')
    if (json) hooks.onJson()
    try {
      await program.parseAsync(args, { from: 'user' })
      return exitCode
    } catch (thrown) {
      // commander has printed its message: help and version are no mistakes, everything else is wrong usage.
      if (!(thrown instanceof CommanderError)) throw thrown
      if (thrown.exitCode === 0) return 0
      if (json) throw usageFailure(thrown)
      return 2
    }
  }
}

/** What follows `--` are arguments, however they look. */
function withoutRest(args: readonly string[]): readonly string[] {
  const rest = args.indexOf('--')
  return rest < 0 ? args : args.slice(0, rest)
}

/** `error: unknown option '--polcy'\n(Did you mean --policy?)` */
function usageFailure({ code, message }: CommanderError): Failure {
  if (code === 'commander.help') {
    return new Failure('which command? Name one', { code: 'config', hint: 'palette-backup --help lists them.' })
  }
  const [what = '', advice] = message.replace(/^error: /, '').split('\n')
  const hint = advice?.replace(/^\((.*)\)$/, '$1')
  return new Failure(what, { code: 'config', ...(hint ? { hint } : {}) })
}

function parsePort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new InvalidArgumentError('It takes a number from 0 to 65535.')
}

function parseTime(text: string): number {
  const ms = parseDuration(text)
  if (ms !== undefined) return ms
  throw new InvalidArgumentError('It takes a time such as 30s or 10m.')
}
