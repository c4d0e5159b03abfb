import { expect, it } from 'vitest'
import { certificatesOf } from '../../agent/config/certificates.ts'
import type { Config } from '../../agent/config/config.ts'
import { DAY_MS } from '../../agent/core/units.ts'
import { testConfig } from '../runs/test-config.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'

function withCertificates(caCert: string | undefined): Config {
  const config = testConfig({
    locations: [
      { name: 'disk', storageProvider: 'filesystem', path: '/backups', folder: '', validate: true },
      {
        name: 'offsite',
        storageProvider: 's3',
        folder: '',
        validate: true,
        bucketName: 'backups',
        region: 'eu-west-1',
        credentialType: 'default',
        s3ForcePathStyle: false,
        ...(caCert === undefined ? {} : { caCert }),
      },
    ],
    policies: [],
  })
  const { cert } = selfSignedCertificate()
  const clientCert = { clientCert: cert, allowInvalidHostnames: false }
  return { ...config, palette: { ...config.palette, mongodbOverrides: { clientCert } } }
}

it('names each attribute that holds certificates, with the first of them to expire', () => {
  const bundle = `# ours\n${selfSignedCertificate().cert}\n${OLD}`
  const found = certificatesOf(withCertificates(bundle))
  expect(found.map(({ certificate }) => certificate)).toEqual([
    'provider.palette.mongodb.client_cert',
    'resource.backup_storage_location.offsite.ca_cert',
  ])
  const [client, offsite] = found
  expect(Math.abs((client?.expiresAt.getTime() ?? 0) - Date.now() - DAY_MS)).toBeLessThan(DAY_MS / 2)
  expect(offsite?.expiresAt.toISOString()).toBe('2020-01-02T00:00:00.000Z')
})

it('names no attribute that is not there', () => {
  expect(certificatesOf(withCertificates(undefined)).map(({ certificate }) => certificate)).toEqual([
    'provider.palette.mongodb.client_cert',
  ])
})

/** Expired on 2 January 2020. */
const OLD = `-----BEGIN CERTIFICATE-----
MIIBcDCCARegAwIBAgIUJLa+YuWiy27i7u+/2NuRm+qA58IwCgYIKoZIzj0EAwIw
DjEMMAoGA1UEAwwDb2xkMB4XDTIwMDEwMTAwMDAwMFoXDTIwMDEwMjAwMDAwMFow
DjEMMAoGA1UEAwwDb2xkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEwpZLFw5I
SwH2a0P/ndifg7hmkZ5fFpwXo0xPv4wAhi1DEVUCEvfx+0xP5Z9+WNoFkI5v5nwq
hOlTv4BoA1mQ7qNTMFEwHQYDVR0OBBYEFIlwazETwNNktArio9A0988ivvV+MB8G
A1UdIwQYMBaAFIlwazETwNNktArio9A0988ivvV+MA8GA1UdEwEB/wQFMAMBAf8w
CgYIKoZIzj0EAwIDRwAwRAIgN2JORoiHwwaDTJiWbIsm0pVeFVN+jUFo6NDuNn8W
WS0CIBpgG+qlk3ruXWH+KmwfhHm2NW0luu8T5BRj27c9SxqB
-----END CERTIFICATE-----
`
