import type { CertificateExpiry } from '../core/certificate.ts'
import { expiryOf } from '../core/certificate.ts'
import type { Config } from './config.ts'

/** The certificates in the configuration. What is found in the cluster, or shown by a server, is not among them. */
export function certificatesOf({ palette, locations }: Config): readonly CertificateExpiry[] {
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
