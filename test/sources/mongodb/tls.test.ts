import { inspect } from 'node:util'
import { afterEach, expect, it } from 'vitest'
import { Secret } from '../../../agent/core/secret.ts'
import { type Certificate, selfSignedCertificate } from '../../support/mongodb/certificate.ts'
import { encode } from '../../support/mongodb/encode.ts'
import { type MongodbDouble, startMongodb } from '../../support/mongodb/server.ts'
import { errorOf } from '../../support/streams.ts'
import { backUp } from './backing-up.ts'

const started: MongodbDouble[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((double) => double.stop()))
})

it('shows its certificate to a server that asks for one, also to the member it chose', async () => {
  const [server, client] = [selfSignedCertificate(), selfSignedCertificate(['palette-backup'])]
  const { uri } = await asking(server, client)
  const tls = { clientCert: client.cert, clientKey: new Secret(client.key), allowInvalidHostnames: false }
  const { facts } = await backUp(uri, { caCert: server.cert, tls })
  expect(facts).toMatchObject({ member: { role: 'primary' }, consistency: { level: 'snapshot' } })
})

it.each(['none', 'another'] as const)('is refused with %s, and says that it is TLS', async (shown) => {
  const [server, client, stranger] = [selfSignedCertificate(), selfSignedCertificate(), selfSignedCertificate()]
  const { uri } = await asking(server, client)
  const tls = { clientCert: stranger.cert, clientKey: new Secret(stranger.key), allowInvalidHostnames: false }
  const options = shown === 'none' ? {} : { tls }
  const error = await errorOf(backUp(`${uri}&serverSelectionTimeoutMS=700`, { caCert: server.cert, ...options }))
  expect(error).toMatchObject({ code: 'unreachable', hint: expect.stringContaining('TLS') })
  expect(inspect(error, { depth: 6 })).not.toContain('PRIVATE KEY')
})

it('does not trust a server that somebody else vouches for', async () => {
  const [server, client] = [selfSignedCertificate(), selfSignedCertificate()]
  const { uri } = await asking(server, client)
  const error = await errorOf(backUp(`${uri}&serverSelectionTimeoutMS=700`, { caCert: client.cert }))
  expect(error).toMatchObject({ code: 'unreachable' })
})

/** MongoDB manual, "Use x.509 Certificates to Authenticate Clients"; net.tls.CAFile. */
async function asking(server: Certificate, client: Certificate): Promise<MongodbDouble> {
  const double = await startMongodb({
    tls: { ...server, ca: client.cert, requestCert: true, rejectUnauthorized: true },
  })
  started.push(double)
  double.store.add('app', 'numbers', { documents: [encode({ _id: 1 })] })
  return double
}
