import { BSON } from 'mongodb'
import { arrayDocuments, BSON_TYPE, documentOf, elements, splitDocuments } from './raw-bson.ts'

/**
 * The wire protocol: OP_MSG, and OP_QUERY with OP_REPLY for the handshake of clients that do not know the server yet.
 * MongoDB manual, Wire Protocol.
 */

const OP_REPLY = 1
const OP_QUERY = 2004
const OP_MSG = 2013

const HEADER_BYTES = 16
const CHECKSUM_PRESENT = 1 << 0
const MORE_TO_COME = 1 << 1
const KNOWN_REQUIRED_FLAGS = CHECKSUM_PRESENT | MORE_TO_COME

/** `maxMessageSizeBytes` of `hello`. MongoDB manual, hello. */
export const MAX_MESSAGE_BYTES = 48_000_000

// Arguments that are lists of documents. A client may send them in the command or as a section of their own.
const SEQUENCES = new Set(['documents', 'updates', 'deletes', 'indexes'])

export interface Request {
  readonly requestId: number
  readonly name: string
  readonly database: string
  /** The command decoded, without the document lists. For deciding, never for storing. */
  readonly fields: Readonly<Record<string, unknown>>
  /** The command's own bytes, document lists in a section of their own excepted. */
  readonly body: Buffer
  readonly sequences: ReadonlyMap<string, readonly Buffer[]>
  /** The client does not read an answer (write concern 0). */
  readonly silent: boolean
  /** Came as OP_QUERY, wants an OP_REPLY. */
  readonly legacy: boolean
}

/** Cuts what comes from a socket into requests; throws on what is no request. */
export async function* requests(chunks: AsyncIterable<Buffer>): AsyncGenerator<Request> {
  let header = Buffer.alloc(0)
  let message: Buffer | undefined
  let filled = 0
  for await (let chunk of chunks) {
    while (chunk.length > 0) {
      if (!message) {
        header = Buffer.concat([header, chunk.subarray(0, HEADER_BYTES - header.length)])
        chunk = chunk.subarray(Math.min(chunk.length, HEADER_BYTES - filled))
        filled = header.length
        if (filled < HEADER_BYTES) continue
        message = allocateMessage(header)
      }
      const copied = chunk.copy(message, filled)
      filled += copied
      chunk = chunk.subarray(copied)
      if (filled < message.length) continue
      const request = parseMessage(message)
      message = undefined
      header = Buffer.alloc(0)
      filled = 0
      yield request
    }
  }
}

/** A message of its own size, so that documents kept as views of it pin nothing else. */
function allocateMessage(header: Buffer): Buffer {
  const length = header.readInt32LE(0)
  if (length <= HEADER_BYTES || length > MAX_MESSAGE_BYTES) throw new RangeError(`message of ${length} bytes`)
  const message = Buffer.allocUnsafeSlow(length)
  header.copy(message)
  return message
}

function parseMessage(message: Buffer): Request {
  const requestId = message.readInt32LE(4)
  const opCode = message.readInt32LE(12)
  const payload = message.subarray(HEADER_BYTES)
  if (opCode === OP_MSG) return parseOpMsg(requestId, payload)
  if (opCode === OP_QUERY) return parseOpQuery(requestId, payload)
  throw new RangeError(`opcode ${opCode} is not served`)
}

function parseOpMsg(requestId: number, payload: Buffer): Request {
  const flags = payload.readUInt32LE(0)
  // Of the flags, the low sixteen must be understood by who receives them. MongoDB manual, Wire Protocol, "Flag Bits".
  if ((flags & 0xffff & ~KNOWN_REQUIRED_FLAGS) !== 0) throw new RangeError(`flags 0x${flags.toString(16)}`)
  const end = payload.length - (flags & CHECKSUM_PRESENT ? 4 : 0)
  const sequences = new Map<string, readonly Buffer[]>()
  let body: Buffer | undefined
  for (let at = 4; at < end; ) {
    const kind = payload[at]
    const length = payload.readInt32LE(at + 1)
    const section = payload.subarray(at + 1, at + 1 + length)
    if (kind === 0) body = section
    else if (kind === 1) {
      const nameEnd = section.indexOf(0, 4)
      sequences.set(section.toString('utf8', 4, nameEnd), splitDocuments(section.subarray(nameEnd + 1)))
    } else throw new RangeError(`section of kind ${kind}`)
    at += 1 + length
  }
  if (!body) throw new RangeError('message without a command')
  return command({ requestId, body, sequences, silent: (flags & MORE_TO_COME) !== 0, legacy: false })
}

function parseOpQuery(requestId: number, payload: Buffer): Request {
  const nameEnd = payload.indexOf(0, 4)
  const namespace = payload.toString('utf8', 4, nameEnd)
  const body = payload.subarray(nameEnd + 9)
  const request = command({ requestId, body, sequences: new Map(), silent: false, legacy: true })
  return { ...request, database: namespace.replace(/\.\$cmd$/, '') }
}

function command(parts: Omit<Request, 'name' | 'database' | 'fields'>): Request {
  const sequences = new Map(parts.sequences)
  const kept: Buffer[] = []
  for (const { type, name, value, bytes } of elements(parts.body)) {
    if (type === BSON_TYPE.array && SEQUENCES.has(name)) sequences.set(name, arrayDocuments(value))
    else kept.push(bytes)
  }
  const fields = BSON.deserialize(documentOf(kept), { bsonRegExp: true })
  const database = fields['$db']
  return {
    ...parts,
    sequences,
    fields,
    name: Object.keys(fields)[0] ?? '',
    database: typeof database === 'string' ? database : '',
  }
}

let lastRequestId = 0

/** The header and flags of an answer whose document has `length` bytes and follows. */
export function replyHeader(request: Request, length: number): Buffer {
  lastRequestId = (lastRequestId + 1) & 0x7fffffff
  const before = request.legacy ? 20 : 5
  const header = Buffer.alloc(HEADER_BYTES + before)
  header.writeInt32LE(header.length + length, 0)
  header.writeInt32LE(lastRequestId, 4)
  header.writeInt32LE(request.requestId, 8)
  header.writeInt32LE(request.legacy ? OP_REPLY : OP_MSG, 12)
  if (request.legacy) header.writeInt32LE(1, HEADER_BYTES + 16)
  return header
}
