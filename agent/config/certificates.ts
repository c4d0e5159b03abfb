import { X509Certificate } from 'node:crypto'
import type { Config } from './config.ts'

export interface ConfiguredCertificate {
  /** Path of the attribute in the file that holds it: `resource.backup_storage_location.nas.ca_cert`. */
  readonly attribute: string
  /** When the first of its certificates expires. */
  readonly expiresAt: Date
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/** The certificates in the configuration. What is found in the cluster, or shown by a server, is not among them. */
export function certificatesOf({ palette, locations }: Config): readonly ConfiguredCertificate[] {
  const { mongodb, mongodbOverrides } = palette
  const mongodbPath = 'provider.palette.mongodb'
  return [
    ...expiryOf(`${mongodbPath}.ca_cert`, mongodb?.caCert ?? mongodbOverrides.caCert),
    ...expiryOf(`${mongodbPath}.client_cert`, mongodb?.tls?.clientCert ?? mongodbOverrides.clientCert?.clientCert),
    ...locations.flatMap((location) =>
      'caCert' in location
        ? expiryOf(`resource.backup_storage_location.${location.name}.ca_cert`, location.caCert)
        : [],
    ),
  ]
}

function expiryOf(attribute: string, pem: string | undefined): ConfiguredCertificate[] {
  const times = (pem?.match(CERTIFICATE) ?? []).map((text) => new X509Certificate(text).validToDate.getTime())
  return times.length === 0 ? [] : [{ attribute, expiresAt: new Date(Math.min(...times)) }]
}
