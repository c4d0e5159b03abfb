import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { BSON, type Document } from 'mongodb'

const OP_QUERY = 2004
const OP_MSG = 2013

/** A connection that sends exactly the bytes it is given, for what a driver would never send. */
export interface RawClient extends AsyncDisposable {
  send(message: Buffer, options?: { readonly pieces?: number }): Promise<void>
  /** The next answer's document, whichever way it came. */
  answer(): Promise<Document>
  /** Resolves when the server has hung up. */
  ended(): Promise<void>
}

export async function rawClient(port: number): Promise<RawClient> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const closed = once(socket, 'close')
  socket.on('error', () => undefined)
  return {
    async send(message, { pieces = 1 } = {}) {
      const size = Math.ceil(message.length / pieces)
      for (let at = 0; at < message.length; at += size) {
        socket.write(message.subarray(at, at + size))
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
    answer: () => readAnswer(socket),
    async ended() {
      socket.resume()
      await closed
    },
    async [Symbol.asyncDispose]() {
      socket.destroy()
      await closed
    },
  }
}

/** An OP_MSG of one command, and of one section of kind 1 if there are documents. */
export function opMsg(
  command: Document,
  { flags = 0, sequence }: { readonly flags?: number; readonly sequence?: [string, readonly Buffer[]] } = {},
): Buffer {
  const parts = [int32(flags), Buffer.of(0), Buffer.from(BSON.serialize(command))]
  if (sequence) {
    const content = Buffer.concat([Buffer.from(`${sequence[0]}\0`), ...sequence[1]])
    parts.push(Buffer.of(1), int32(4 + content.length), content)
  }
  if (flags & 1) parts.push(int32(0x12345678))
  return message(OP_MSG, Buffer.concat(parts))
}

/** The legacy way to send a command, which old clients use for their first `isMaster`. */
export function opQuery(command: Document): Buffer {
  return message(
    OP_QUERY,
    Buffer.concat([int32(0), Buffer.from('admin.$cmd\0'), int32(0), int32(-1), Buffer.from(BSON.serialize(command))]),
  )
}

export function message(opCode: number, body: Buffer): Buffer {
  return Buffer.concat([int32(16 + body.length), int32(1), int32(0), int32(opCode), body])
}

async function readAnswer(socket: Socket): Promise<Document> {
  let bytes = Buffer.alloc(0)
  while (bytes.length < 4 || bytes.length < bytes.readInt32LE(0)) {
    const [chunk] = await once(socket, 'data')
    bytes = Buffer.concat([bytes, chunk])
  }
  const start = bytes.readInt32LE(12) === OP_MSG ? 21 : 36
  return BSON.deserialize(bytes.subarray(start))
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32LE(value)
  return bytes
}
