import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A moment in the life of a command: the server has not got it yet, or the client has not got its final reply. */
export interface Moment {
  readonly command: RegExp
  readonly when: 'before' | 'after'
}

export interface HoldingFtpProxy extends AsyncDisposable {
  readonly port: number
  /** Stops the first command that comes to the moment; resolves once it is there. Everything else passes. */
  hold(moment: Moment): Promise<void>
}

/** Stands on the control connections of an FTP server without TLS; data connections go to the server itself. */
export async function startHoldingFtpProxy(target: number): Promise<HoldingFtpProxy> {
  let holding: (Moment & { readonly reached: () => void }) | undefined
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    const awaited = { final: false }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      const end = (): void => void (client.destroy() && upstream.destroy())
      socket.on('error', end).on('close', end)
    }
    lines(client, (line) => {
      if (holding?.command.test(line)) {
        if (holding.when === 'before') return void reach()
        awaited.final = true
      }
      upstream.write(`${line}\r\n`)
    })
    lines(upstream, (line) => {
      // A preliminary reply lets the data flow: RFC 959, section 4.2.
      if (awaited.final && /^[2-5]\d\d /.test(line)) return void reach()
      client.write(`${line}\r\n`)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  function reach(): void {
    holding?.reached()
    holding = undefined
  }
  return {
    port: Object(server.address()).port,
    hold(moment) {
      return new Promise((reached) => {
        holding = { ...moment, reached }
      })
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

function lines(socket: Socket, each: (line: string) => void): void {
  let rest = ''
  socket.on('data', (chunk: Buffer) => {
    const parts = `${rest}${chunk.toString('utf8')}`.split('\r\n')
    rest = parts.pop() ?? ''
    for (const part of parts) each(part)
  })
}
