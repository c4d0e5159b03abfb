#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { DestinationStream } from 'pino'
import { pino } from 'pino'
import type { CommandContext, ExitCode, Output } from './commands/context.ts'
import { reportFailure } from './commands/outcome.ts'
import { createProgram } from './commands/program.ts'
import { systemClock } from './core/clock.ts'
import { Failure } from './core/errors.ts'
import { createLogger } from './core/log.ts'

const mainFile = fileURLToPath(import.meta.url)
const stop = new AbortController()
const context: CommandContext = {
  env: process.env,
  clock: systemClock,
  logger: createLogger(await logDestination(), process.env['PALETTE_BACKUP_LOG_LEVEL'] ?? 'info'),
  signal: stop.signal,
  toolVersion: readVersion(),
  stdout: outputOf(process.stdout),
  stderr: outputOf(process.stderr),
  readLine: lineReader(),
}

let json = false
let hurry: (() => void) | undefined
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    if (!stop.signal.aborted) return stop.abort(new Failure(`stopped by ${name}`, { code: 'cancelled' }))
    // The last one is for a program that does not end: at once, with the exit code shells expect.
    if (!hurry) process.exit(name === 'SIGINT' ? 130 : 143)
    hurry()
    hurry = undefined
  })
}
// A reader that went away (`| head`) is no reason to die in the middle of a run.
process.stdout.on('error', () => undefined)
process.stderr.on('error', () => undefined)

process.exitCode = await main()
// Nothing may hold the process once its command has ended: no idle socket, no timer of a library.
await flushed(process.stdout)
process.exit()

async function main(): Promise<ExitCode> {
  try {
    const program = createProgram(context, {
      mainFile,
      onHangup: (listener) => void process.on('SIGHUP', listener),
      onHurry: (listener) => {
        hurry = listener
      },
      onInputEnd: (listener) => void process.stdin.once('end', listener).once('close', listener),
      stop: (failure) => stop.abort(failure),
      onJson: () => {
        json = true
      },
    })
    return await program(process.argv.slice(2))
  } catch (thrown) {
    return reportFailure(thrown, context, json)
  }
}

/** JSON lines, or on a terminal what a person reads. Synchronous: the last lines before an end are the ones that matter. */
async function logDestination(): Promise<DestinationStream> {
  if (process.stderr.isTTY !== true) return pino.destination({ dest: 2, sync: true })
  const { default: pretty } = await import('pino-pretty')
  return pretty({ destination: 2, sync: true, translateTime: 'SYS:HH:MM:ss' })
}

function outputOf(stream: NodeJS.WriteStream): Output {
  return { isTerminal: stream.isTTY === true, write: (text) => void stream.write(text) }
}

function lineReader(): () => Promise<string | undefined> {
  let lines: AsyncIterator<string> | undefined
  return async () => {
    lines ??= createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })[Symbol.asyncIterator]()
    const { value, done } = await lines.next()
    return done ? undefined : value
  }
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()))
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return String(version)
}
