import { Timestamp } from 'mongodb'
import { Failure } from '../../core/errors.ts'
import { type Gathered, gather } from './archive/document-memory.ts'

/** The `cursor` document of a `find` or `getMore` reply, its documents not looked into. */
export interface CursorReply {
  /** 0 when the cursor is exhausted. */
  readonly id: bigint
  /** `database.collection`. */
  readonly namespace: string
  readonly atClusterTime?: Timestamp
  /** The BSON array of documents. */
  readonly batch: Buffer
}

const TYPE = { string: 0x02, document: 0x03, array: 0x04, boolean: 0x08, timestamp: 0x11, int64: 0x12 } as const

/** Reads the few fields a cursor has (BSON specification 1.1). */
export function readCursorReply(cursor: unknown): CursorReply {
  if (!(cursor instanceof Uint8Array)) throw malformed('it has no cursor')
  const bytes = Buffer.from(cursor.buffer, cursor.byteOffset, cursor.byteLength)
  let id: bigint | undefined
  let namespace = ''
  let batch: Buffer | undefined
  let atClusterTime: Timestamp | undefined
  for (let at = 4; at < bytes.length - 1; ) {
    const type = bytes[at]
    const nameEnd = bytes.indexOf(0, at + 1)
    if (nameEnd < 0) throw malformed('a field name does not end')
    const name = bytes.toString('latin1', at + 1, nameEnd)
    const value = nameEnd + 1
    if (name === 'id' && type === TYPE.int64) id = bytes.readBigInt64LE(value)
    if (name === 'atClusterTime' && type === TYPE.timestamp) atClusterTime = new Timestamp(bytes.readBigUInt64LE(value))
    if (name === 'ns' && type === TYPE.string) {
      namespace = bytes.toString('utf8', value + 4, value + 3 + bytes.readInt32LE(value))
    }
    const end = value + valueLength(type, bytes, value)
    if ((name === 'firstBatch' || name === 'nextBatch') && type === TYPE.array) batch = bytes.subarray(value, end)
    at = end
  }
  if (id === undefined || batch === undefined) throw malformed('its cursor has no id or no batch')
  return { id, namespace, batch, ...(atClusterTime ? { atClusterTime } : {}) }
}

/** Copies of the documents of a list. */
export function listed({ batch }: CursorReply): Buffer[] {
  const documents: Buffer[] = []
  for (let at = 4; at < batch.length - 1; ) {
    const start = batch.indexOf(0, at + 1) + 1
    const length = batch[at] === TYPE.document ? batch.readInt32LE(start) : 0
    if (length < 5 || start + length > batch.length)
      throw malformed('its list holds something that is no whole document')
    at = start + length
    documents.push(Buffer.from(batch.subarray(start, at)))
  }
  return documents
}

/** The documents of the batch as an archive holds them. The batch is overwritten where it lies. */
export function gathered({ batch }: CursorReply): Gathered {
  const found = gather(batch)
  if (!found) throw malformed('its batch holds something that is no whole document')
  return found
}

function valueLength(type: number | undefined, bytes: Buffer, at: number): number {
  switch (type) {
    case TYPE.string:
      return 4 + bytes.readInt32LE(at)
    case TYPE.document:
    case TYPE.array:
      return bytes.readInt32LE(at)
    case TYPE.boolean:
      return 1
    case TYPE.timestamp:
    case TYPE.int64:
      return 8
    default:
      throw malformed(`a field of its cursor has the unexpected type 0x${type?.toString(16)}`)
  }
}

function malformed(why: string): Failure {
  return new Failure(`reading a reply of MongoDB: ${why}`, { code: 'damaged', retryable: true })
}
