import { X509Certificate } from 'node:crypto'

/** A certificate, or a bundle of them, that the agent connects with. */
export interface CertificateExpiry {
  /**
   * Where it stands: an attribute of the file, `resource.backup_storage_location.nas.ca_cert`, or a key of an object of the
   * cluster, `Secret hubble-system/mongo-tls, key ca.crt`.
   */
  readonly certificate: string
  /** When the first of the bundle expires. */
  readonly expiresAt: Date
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/** Empty where the text holds none that can be read: who connects with it says what is wrong with it. */
export function expiryOf(certificate: string, pem: string | undefined): CertificateExpiry[] {
  const times = (pem?.match(CERTIFICATE) ?? []).flatMap((text) => {
    try {
      return [new X509Certificate(text).validToDate.getTime()]
    } catch {
      return []
    }
  })
  return times.length === 0 ? [] : [{ certificate, expiresAt: new Date(Math.min(...times)) }]
}
