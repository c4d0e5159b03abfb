import { Failure } from '../../../core/errors.ts'

/** MongoDB manual, "Wire Protocol", OP_MSG: header of 16 bytes, 4 of flags, then sections that begin with their kind. */
const OP_MSG = 2013
const BODY_AT = 21
const FLAG = { checksumPresent: 1, moreToCome: 2 } as const
/** The lower 16 flags must be understood by the reader, the upper ones may be ignored. */
const REQUIRED_FLAGS = 0xffff

/** The document of a reply to the request, not looked into. */
export function bodyOf(message: Buffer, requestId: number): Buffer {
  if (message.length < BODY_AT + 5) throw malformed(`it has only ${message.length} bytes`)
  const [responseTo, opCode, flags] = [message.readInt32LE(8), message.readInt32LE(12), message.readUInt32LE(16)]
  if (opCode !== OP_MSG) throw malformed(`it has the kind ${opCode} instead of OP_MSG`)
  if (responseTo !== requestId) throw malformed('it answers another request')
  if ((flags & REQUIRED_FLAGS & ~FLAG.checksumPresent) !== 0) throw malformed(`it has the flags ${flags}`)
  if (message[BODY_AT - 1] !== 0) throw malformed('it does not begin with its document')
  const end = message.length - (flags & FLAG.checksumPresent ? 4 : 0)
  const length = message.readInt32LE(BODY_AT)
  if (length < 5 || BODY_AT + length !== end) throw malformed(`its document claims ${length} of ${end - BODY_AT} bytes`)
  return message.subarray(BODY_AT, end)
}

/** A request with a section of kind 1 behind it: its size, the name of a list, and the documents. Nothing is copied. */
export function withSequence(
  [header = new Uint8Array(0), ...rest]: readonly Uint8Array[],
  { field, documents }: { readonly field: string; readonly documents: Uint8Array },
): Uint8Array[] {
  const begin = Buffer.from(`\x01\0\0\0\0${field}\0`, 'latin1')
  begin.writeInt32LE(begin.length - 1 + documents.length, 1)
  const lengthened = Buffer.from(header)
  lengthened.writeInt32LE(lengthened.readInt32LE(0) + begin.length + documents.length, 0)
  return [lengthened, ...rest, begin, documents]
}

function malformed(why: string): Failure {
  return new Failure(`reading a reply of MongoDB: ${why}`, { code: 'damaged', retryable: true })
}
