import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { BSON, type Document } from 'mongodb'
import { type Request, replyHeader, requests } from './wire.ts'

export interface LyingServer extends AsyncDisposable {
  readonly uri: string
}

/** Answers a `find`, `getMore` or `insert` with whatever bytes; undefined says nothing. */
export type Lie = (request: Request, socket: Socket) => Buffer | undefined

const HELLO = {
  ...{ ok: 1, helloOk: true, isWritablePrimary: true, minWireVersion: 0, maxWireVersion: 21 },
  ...{ maxBsonObjectSize: 16_777_216, maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 100_000 },
  ...{ logicalSessionTimeoutMinutes: 30, readOnly: false },
}

/** A server that greets as it should and answers with `lie`; of each connection it takes `takesBytes` and then no more. */
export async function startLyingServer(lie: Lie, takesBytes = Number.POSITIVE_INFINITY): Promise<LyingServer> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    void answer(socket, lie, takesBytes).catch(() => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    uri: `mongodb://127.0.0.1:${address.port}/?directConnection=true`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A whole reply to the request. */
export function replied(request: Request, document: Document): Buffer {
  const body = BSON.serialize(document)
  return Buffer.concat([replyHeader(request, body.length), body])
}

/** What a cursor answers. */
export function batch(documents: readonly Document[], id = 0n): Document {
  return { cursor: { firstBatch: documents, id: BSON.Long.fromBigInt(id), ns: 'app.c' }, ok: 1 }
}

async function answer(socket: Socket, lie: Lie, takesBytes: number): Promise<void> {
  for await (const request of requests(limited(socket, takesBytes))) {
    const reads = ['find', 'getMore', 'insert'].includes(request.name)
    const reply = reads ? lie(request, socket) : replied(request, request.name === 'ping' ? { ok: 1 } : HELLO)
    if (reply) socket.write(reply)
  }
}

async function* limited(socket: Socket, bytes: number): AsyncGenerator<Buffer> {
  let taken = 0
  for await (const chunk of socket) {
    taken += chunk.length
    if (taken > bytes) await once(socket, 'close')
    yield chunk
  }
}
