import type { Server } from 'node:http'
import type { Socket } from 'node:net'

export interface ConnectionLimits {
  readonly most: number
  /** What a client gets to take its answer: when no byte moved for so long, its connection is closed. */
  readonly takeMs: number
}

interface Connection {
  readonly address: string
  /** Requests on it that were read and are not answered yet. */
  answering: number
}

/**
 * Keeps no more connections than `most`, and yet has room for another: where there are that many, the oldest one that waits for
 * nothing (its request is not all there, or it has its answer) is closed, of the address that has most of these. So
 * neither slow clients nor forgotten ones keep a probe out.
 */
export function boundConnections(server: Server, { most, takeMs }: ConnectionLimits): void {
  const open = new Map<Socket, Connection>()
  server.on('connection', (socket) => {
    if (open.size >= most) (oldestIdle(open) ?? socket).destroy()
    if (socket.destroyed) return
    open.set(socket, { address: socket.remoteAddress ?? '', answering: 0 })
    socket.once('close', () => open.delete(socket))
  })
  server.on('request', ({ socket }, response) => {
    const connection = open.get(socket)
    if (!connection) return
    connection.answering += 1
    response.once('prefinish', () => socket.setTimeout(takeMs))
    response.once('close', () => {
      connection.answering -= 1
    })
  })
}

/** Connections are in the order in which they came. */
function oldestIdle(open: ReadonlyMap<Socket, Connection>): Socket | undefined {
  const byAddress = new Map<string, Socket[]>()
  for (const [socket, { address, answering }] of open) {
    // One that was destroyed a moment ago is gone with its close event.
    if (answering > 0 || socket.destroyed) continue
    const sockets = byAddress.get(address)
    if (sockets) sockets.push(socket)
    else byAddress.set(address, [socket])
  }
  let most: readonly Socket[] = []
  for (const sockets of byAddress.values()) if (sockets.length > most.length) most = sockets
  return most[0]
}
