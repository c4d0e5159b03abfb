import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { MongodbConfig, MongodbTls } from '../../../agent/config/config.ts'
import { Secret } from '../../../agent/core/secret.ts'
import { connect } from '../../../agent/sources/mongodb/connect.ts'
import { selfSignedCertificate } from '../../support/mongodb/certificate.ts'
import { type MongodbDouble, startMongodb } from '../../support/mongodb/server.ts'
import { errorOf } from '../../support/streams.ts'

/** As VerteX has it: MongoDB asks for a certificate, and its own does not name the host it is reached by. */
describe('mutual TLS with MongoDB', () => {
  const server = selfSignedCertificate(['mongo.example'])
  const client = selfSignedCertificate(['client'])
  const shown = { clientCert: client.cert, clientKey: new Secret(client.key) }
  let double: MongodbDouble

  beforeAll(async () => {
    double = await startMongodb({ tls: { ...server, ca: client.cert, requestCert: true, rejectUnauthorized: true } })
  })
  afterAll(() => double.stop())

  it('shows the certificate, and does not compare names where that was found to be right', async () => {
    await using connection = await open({ ...shown, allowInvalidHostnames: true })
    expect(await connection.client.db('admin').command({ ping: 1 })).toMatchObject({ ok: 1 })
  })

  it('compares names otherwise', async () => {
    expect(await errorOf(open({ ...shown, allowInvalidHostnames: false }))).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('does not match certificate'),
    })
  })

  it('is refused without a certificate, and trusts no other authority', async () => {
    expect(await errorOf(open({ allowInvalidHostnames: true }))).toMatchObject({ name: 'Failure' })
    const stranger = { caCert: client.cert, tls: { ...shown, allowInvalidHostnames: true } }
    expect(await errorOf(openWith(stranger))).toMatchObject({ code: 'unreachable' })
  })

  function open(tls: MongodbTls) {
    return openWith({ caCert: server.cert, tls })
  }

  function openWith(tls: Pick<MongodbConfig, 'caCert' | 'tls'>) {
    const uri = new Secret(`${double.uri}&serverSelectionTimeoutMS=1000`)
    return connect({ uri, ...tls }, new AbortController().signal)
  }
})
