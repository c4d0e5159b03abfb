import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** What was learned about a server; the same for all connections to it. Undefined: not met yet. */
export interface Dialect {
  pasvOnly: boolean
  /** Listings that are made for programs: RFC 3659, section 7. */
  mlsd: boolean | undefined
  /** RFC 3659, section 4. */
  size: boolean | undefined
  /** How the control connection is secured, in words. */
  tls: string | undefined
}

export function newDialect(): Dialect {
  return { pasvOnly: false, mlsd: undefined, size: undefined, tls: undefined }
}

/** Of a control connection whose handshake is over: `TLSv1.3, certificate until 2027-03-01`. */
export function describeTls(socket: Socket): string {
  if (!(socket instanceof TLSSocket)) return 'without TLS: the password and every backup travel in clear'
  const until = new Date(socket.getPeerCertificate().valid_to)
  const date = Number.isNaN(until.getTime()) ? '' : `, certificate until ${until.toISOString().slice(0, 10)}`
  return `${socket.getProtocol() ?? 'TLS'}${date}`
}

/** What it is and what it lacks, each with what is lost by it. */
export function factsOf({ tls, mlsd, size, pasvOnly }: Dialect): readonly string[] {
  return [
    ...(tls === undefined ? [] : [tls]),
    ...(mlsd === false
      ? ['no MLSD: names and sizes are read from LIST, and of dates only what is asked for file by file is exact']
      : []),
    ...(size === false ? ['no SIZE: what is kept is compared by listings'] : []),
    ...(pasvOnly ? ['no EPSV: works with PASV, and not over IPv6'] : []),
  ]
}
