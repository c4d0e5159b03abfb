#!/usr/bin/env node
import { readFileSync, writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { DestinationStream } from 'pino'
import { pino } from 'pino'
import type { CommandContext, ExitCode, Output } from './commands/context.ts'
import { formatFailure, reportFailure } from './commands/outcome.ts'
import { createProgram } from './commands/program.ts'
import { systemClock } from './core/clock.ts'
import { errnoOf, Failure, toFailure } from './core/errors.ts'
import { createLogger } from './core/log.ts'

const mainFile = fileURLToPath(import.meta.url)
const stop = new AbortController()
let lost: unknown
const context: CommandContext = {
  env: process.env,
  clock: systemClock,
  logger: createLogger(await logDestination(), process.env['PALETTE_BACKUP_LOG_LEVEL'] ?? 'info'),
  signal: stop.signal,
  toolVersion: readVersion(),
  stdout: outputOf(process.stdout, (error) => {
    // A reader that went away (`| head`) has what it wanted, and is no reason to die in the middle of a run.
    if (errnoOf(error) !== 'EPIPE') lost ??= error
  }),
  stderr: outputOf(process.stderr, () => undefined),
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

const exitCode = await main()
// Nothing may hold the process once its command has ended: no idle socket, no timer of a library.
await flushed(process.stdout)
process.exit(lost !== undefined ? reportLost(lost, exitCode) : exitCode)

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

/** Whoever reads a result that was cut off must not take it for the whole; what the command said of itself goes first. */
function reportLost(error: unknown, code: ExitCode): ExitCode {
  const { message } = toFailure(error, 'what was printed is incomplete: writing to standard output')
  context.stderr.write(formatFailure({ message }))
  return code === 2 || code === 4 ? code : 1
}

/** JSON lines, or on a terminal what a person reads. Synchronous: the last lines before an end are the ones that matter. */
async function logDestination(): Promise<DestinationStream> {
  if (process.stderr.isTTY !== true) return pino.destination({ dest: 2, sync: true })
  const { default: pretty } = await import('pino-pretty')
  return pretty({ destination: 2, sync: true, translateTime: 'SYS:HH:MM:ss' })
}

/** An error is told once; what comes after it goes nowhere. */
function outputOf(
  stream: Writable & { readonly fd: number; readonly isTTY?: boolean },
  onError: (error: unknown) => void,
): Output {
  stream.on('error', onError)
  const isTerminal = stream.isTTY === true
  if (stream instanceof Socket) return { isTerminal, write: (text) => void stream.write(text) }
  let broken = false
  return {
    isTerminal,
    write(text) {
      if (broken) return
      try {
        // A file that there is little room for takes a part: the stream would count that as all.
        writeFileSync(stream.fd, text)
      } catch (thrown) {
        broken = true
        onError(thrown)
      }
    },
  }
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
