import { stringArgument } from './arguments.ts'
import { toTimestamp } from './cluster-clock.ts'
import { administrationCommands } from './commands/administration.ts'
import { authenticationCommands, requireAuthentication } from './commands/authentication.ts'
import { catalogBatchCommands, catalogCommands } from './commands/catalog.ts'
import { definitionCommands } from './commands/definition.ts'
import { handshakeCommands } from './commands/handshake.ts'
import { readBatchCommands, readCommands } from './commands/read.ts'
import { aggregateCommands, statisticsCommands } from './commands/statistics.ts'
import { writeCommands } from './commands/write.ts'
import type { BatchCommand, Context, FieldsCommand } from './context.ts'
import type { Batch } from './cursors.ts'
import { encode, replyEnd } from './encode.ts'
import { CommandError, notPlayed } from './errors.ts'
import { InjectedFailure } from './faults.ts'
import { requireReadable, requireWritable } from './membership.ts'
import { snapshotTime } from './snapshot.ts'
import { type Request, replyHeader } from './wire.ts'

const fieldsCommands = new Map<string, FieldsCommand>(
  Object.entries({
    ...handshakeCommands,
    ...authenticationCommands,
    ...administrationCommands,
    ...catalogCommands,
    ...definitionCommands,
    ...readCommands,
    ...statisticsCommands,
    ...writeCommands,
  }),
)

const WRITES = new Set([...Object.keys(definitionCommands), 'insert', 'update', 'delete'])

const batchCommands = new Map<string, BatchCommand>(
  Object.entries({ ...catalogBatchCommands, ...readBatchCommands, ...aggregateCommands }),
)

/** Serves one request: the answer as pieces to be written one after another. */
export function serve(request: Request, context: Context): readonly Buffer[] {
  try {
    requireAuthentication(request.name, context)
    requireState(request, context)
    context.sessions.use(request)
    if ('autocommit' in request.fields) throw notPlayed('a transaction')
    // Refuses the read concern where the command does not take it.
    snapshotTime(request, context)
    const batchCommand = batchCommands.get(request.name)
    if (batchCommand) return batchReply(request, batchCommand(request, context), context)
    const command = fieldsCommands.get(request.name)
    if (!command) throw new CommandError(59, `no such command: '${request.name}'`)
    const fields = context.retries.once(request, () => command(request, context))
    return whole(request, encode({ ...fields, ...end(context) }))
  } catch (error) {
    return errorReply(request, error, context)
  }
}

/** Writes go to a primary, reads to whoever holds the data. MongoDB manual, Replica Set Read and Write Semantics. */
function requireState({ name }: Request, { settings }: Context): void {
  if (WRITES.has(name)) requireWritable(settings.member)
  if (batchCommands.has(name) || WRITES.has(name)) requireReadable(settings.member)
}

/** What a failing command answers. MongoDB manual, Database Commands, "Response". */
export function errorReply(request: Request, error: unknown, context: Context): readonly Buffer[] {
  const known =
    error instanceof CommandError ? error : new CommandError(8, `defect of the test double: ${String(error)}`)
  const labels = known instanceof InjectedFailure && known.labels.length > 0 ? { errorLabels: known.labels } : {}
  const { message: errmsg, code, codeName } = known
  const answer = { ...end(context), ...labels, ok: 0, errmsg, code, codeName }
  return whole(request, encode(answer))
}

function whole(request: Request, document: Buffer): readonly Buffer[] {
  return [replyHeader(request, document.length), document]
}

/** Puts a reply around documents without copying them. */
function batchReply(request: Request, batch: Batch, context: Context): readonly Buffer[] {
  const cursorEnd = encode({
    ...(batch.atClusterTime === undefined ? {} : { atClusterTime: toTimestamp(batch.atClusterTime) }),
    id: batch.id,
    ns: batch.namespace,
  }).subarray(4)
  const replyTail = encode(end(context)).subarray(4)
  const arrayLength = 4 + batch.body.length
  const cursorLength = 4 + 1 + batch.kind.length + 1 + arrayLength + cursorEnd.length
  const length = 4 + 1 + 'cursor'.length + 1 + cursorLength + replyTail.length
  const head = Buffer.concat([
    replyHeader(request, length),
    int32(length),
    Buffer.from('\x03cursor\0'),
    int32(cursorLength),
    Buffer.from(`\x04${batch.kind}\0`),
    int32(arrayLength),
  ])
  return [head, batch.body, Buffer.concat([cursorEnd, replyTail])]
}

function end({ settings, store }: Context) {
  return replyEnd(settings.setName === undefined ? undefined : toTimestamp(store.clock.current()))
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32LE(value)
  return bytes
}

/** The collection a request is about, for faults and the log; nothing where it is about none. */
export function collectionOf(request: Request): string | undefined {
  return stringArgument(request.fields, request.name === 'getMore' ? 'collection' : request.name)
}
