import { errnoOf, Failure } from '../core/errors.ts'

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the name server does not answer',
  ETIMEDOUT: 'no answer in time',
  ECONNRESET: 'the connection was cut by the other side',
  ECONNABORTED: 'the connection was cut',
  EPIPE: 'the connection was closed by the other side',
  EHOSTUNREACH: 'there is no route to the host',
  ENETUNREACH: 'there is no route to the network',
  EHOSTDOWN: 'the host is down',
}

const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
])

/** Failures of name, network and TLS, recognised by the code Node.js gives them; undefined for anything else. */
export function networkFailure(thrown: unknown, doing: string): Failure | undefined {
  const code = networkCodeOf(thrown)
  if (code === undefined) return undefined
  const options = { code: 'unreachable', cause: thrown } as const
  const reason = REASONS[code]
  if (reason !== undefined) {
    return new Failure(`${doing}: ${reason}${placeOf(thrown)}`, { ...options, retryable: true })
  }
  if (UNTRUSTED.has(code)) {
    return new Failure(`${doing}: the server's certificate is signed by nobody who is trusted here (${code})`, {
      ...options,
      hint: 'Give the certificate authority of the server in ca_cert.',
    })
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new Failure(`${doing}: the server's certificate is made out to another name`, {
      ...options,
      hint: 'Use the host name that stands in the certificate, or have the certificate renewed.',
    })
  }
  if (code.startsWith('CERT_')) {
    return new Failure(`${doing}: the server's certificate is not valid (${code})`, {
      ...options,
      hint: 'Check its dates on the server, and the clock here.',
    })
  }
  if (code === 'ERR_PROXY_TUNNEL') {
    const answer = /HTTP\/1\.\d (\d{3}.*)$/.exec(thrown instanceof Error ? thrown.message : '')?.[1]
    const why = answer === undefined ? '' : ` (${answer})`
    return new Failure(`${doing}: the proxy does not let it through${why}`, {
      ...options,
      hint: 'Check what the proxy allows, and user and password in its address where it demands them.',
    })
  }
  // The names that Node.js gives to what its HTTP parser stumbles over.
  if (code.startsWith('HPE_')) {
    return new Failure(`${doing}: what answers there does not speak HTTP (${code})`, { ...options, retryable: true })
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    return new Failure(`${doing}: the server does not speak TLS as expected (${code})`, {
      ...options,
      hint: 'Check the port and whether TLS is meant to be used on it.',
    })
  }
  return undefined
}

/** The address that was really tried: that of a proxy, where there is one. */
function placeOf(thrown: unknown): string {
  if (thrown instanceof AggregateError) return placeOf(thrown.errors[0])
  if (!(thrown instanceof Error)) return ''
  const hostname = 'hostname' in thrown ? thrown.hostname : undefined
  if (typeof hostname === 'string') return `: ${hostname}`
  const [address, port] = ['address' in thrown && thrown.address, 'port' in thrown && thrown.port]
  return typeof address === 'string' && typeof port === 'number' ? `: ${address}, port ${port}` : ''
}

function networkCodeOf(thrown: unknown): string | undefined {
  if (thrown instanceof AggregateError) return networkCodeOf(thrown.errors[0])
  return errnoOf(thrown)
}
