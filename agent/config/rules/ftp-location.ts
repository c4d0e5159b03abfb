import { Secret } from '../../core/secret.ts'
import type { FtpLocationConfig } from '../config.ts'
import type { Path } from '../document.ts'
import type { Reporter } from '../reporter.ts'
import type { RawLocation, ResolvedCommon } from './locations.ts'
import { checkCaCert, refuseLineBreaks } from './place.ts'

const EXPECTED = 'Expected host, host:port or ftp://host:port.'
const FTP_PORT = 21
const IMPLICIT_TLS_PORT = 990

/** Without what a URL may hold besides: `URL` alone would take `ftp:///host` and `host?`, too. */
export const SERVER = /^\s*([Ff][Tt][Pp]:\/\/)?[^\s/?#@]+\/?\s*$/

export function ftpLocation(raw: RawLocation, common: ResolvedCommon, path: Path, report: Reporter): FtpLocationConfig {
  const { ftp, ca_cert } = raw
  const ftpPath = [...path, 'ftp']
  const tls = ftp?.tls ?? 'explicit'
  if (tls === 'none') {
    const detail = 'The password and every backup travel in clear. Use tls: explicit, with ca_cert where it is needed.'
    report.warning({ path: [...ftpPath, 'tls'], summary: 'Connection without TLS', detail })
  }
  const address = parseServer(ftp?.server ?? '', [...ftpPath, 'server'], report)
  const directory = ftp?.directory ?? '/'
  refuseLineBreaks({ directory, username: ftp?.username, password: ftp?.password }, ftpPath, report)
  if (directory.split('/').includes('..')) {
    const detail = 'The directory is written without "..".'
    report.error({ path: [...ftpPath, 'directory'], summary: 'Invalid directory', detail })
  }
  return {
    ...common,
    storageProvider: 'ftp',
    host: address.host,
    port: address.port ?? (tls === 'implicit' ? IMPLICIT_TLS_PORT : FTP_PORT),
    directory,
    username: ftp?.username ?? '',
    password: new Secret(ftp?.password ?? ''),
    tls,
    ...checkCaCert(ca_cert, path, report),
  }
}

/** `host`, `host:port` or `ftp://host:port`. */
function parseServer(server: string, path: Path, report: Reporter): { host: string; port?: number } {
  // Reported where it was read, or missing.
  if (server === '') return { host: '' }
  const refuse = (summary: string, detail: string, at: 'key' | 'value' = 'value') => {
    report.error({ path, at, summary, detail })
    return { host: '' }
  }
  if (/^ftps:\/\//i.test(server)) {
    return refuse('Invalid address', 'Write ftp://, and say by the attribute tls how the connection is encrypted.')
  }
  const url = URL.parse(server.includes('://') ? server : `ftp://${server}`)
  if (url?.protocol !== 'ftp:' || url.hostname === '') {
    return refuse('Invalid address', EXPECTED)
  }
  if (url.username !== '' || url.password !== '') {
    const detail = 'Credentials do not belong into the address. Use username and password.'
    return refuse('Credentials in an address', detail, 'key')
  }
  if (url.pathname !== '/' && url.pathname !== '') {
    return refuse('Invalid address', 'The directory does not belong into the address. Use the attribute directory.')
  }
  if (!SERVER.test(server)) return refuse('Invalid address', EXPECTED)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  // URL leaves out the port where it is the scheme's own; written, it counts for implicit TLS, too.
  const port = url.port === '' && /:21\/?$/.test(server) ? FTP_PORT : Number(url.port)
  return port === 0 ? { host } : { host, port }
}
