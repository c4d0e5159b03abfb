import { X509Certificate } from 'node:crypto'
import type { Path } from '../document.ts'
import type { Reporter } from '../reporter.ts'

/** `a/b`, without slashes around it; anything that would lead elsewhere is an error. */
export function checkFolder(folder: string | undefined, path: Path, report: Reporter): string {
  const trimmed = (folder ?? '').replace(/^\/+|\/+$/g, '')
  if (trimmed === '' || trimmed.split('/').every((part) => part !== '' && part !== '.' && part !== '..')) return trimmed
  const detail = 'A folder is written as names with one / between them, without "." and "..".'
  report.error({ path: [...path, 'folder'], summary: 'Invalid folder', detail })
  return trimmed
}

/** What goes into a line of a protocol ends where the line does; a credential with a line break is two files in one. */
export function refuseLineBreaks(
  values: Readonly<Record<string, string | undefined>>,
  path: Path,
  report: Reporter,
): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || !/[\r\n\0]/.test(value)) continue
    const detail = `${name} holds a line break. Of a file, one at its end is dropped, and there may be no other.`
    report.error({ path: [...path, name], at: 'key', summary: 'More than one line', detail })
  }
}

/** A certificate that cannot be read would be found out about only in the night. */
export function checkCaCert(caCert: string | undefined, path: Path, report: Reporter): { caCert?: string } {
  // An empty text has been reported where it was read.
  if (caCert === undefined || caCert === '') return {}
  checkCertificate(caCert, [...path, 'ca_cert'], report)
  return { caCert }
}

export function checkCertificate(pem: string, path: Path, report: Reporter): void {
  if (pem === '') return
  try {
    new X509Certificate(pem)
  } catch {
    const detail = 'Expected one or more certificates in PEM format: -----BEGIN CERTIFICATE----- and so on.'
    report.error({ path, at: 'key', summary: 'Invalid certificate', detail })
  }
}
