import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { MongodbConfig } from '../../../agent/config/config.ts'
import { UNKNOWN_OPTION } from '../../../agent/core/connection-string.ts'
import { Failure } from '../../../agent/core/errors.ts'
import { Secret } from '../../../agent/core/secret.ts'
import { connect, hostsIn, refusalOf } from '../../../agent/sources/mongodb/connect.ts'

const config = (uri: string, more: Partial<MongodbConfig> = {}): MongodbConfig => ({ uri: new Secret(uri), ...more })
const badValue = (name: string): string =>
  `its option ${name} has a value that is none for it, or does not go with the rest`

describe('what the driver refuses of a connection string', () => {
  it.each([
    ['mongodb://u:swordfish@h:999999/', 'the port of its host is no number from 1 to 65535'],
    ['mongodb://u:swordfish@h/?foo=bar', UNKNOWN_OPTION],
    ['mongodb://u:swordfish@h/?maxPoolSize=abc', badValue('maxPoolSize')],
    ['mongodb://u:swordfish@h/?authMechanism=swordfish', badValue('authMechanism')],
    ['mongodb://u:swordfish@a,b/?directConnection=true', badValue('directConnection')],
    ['mongodb://u:swordfish@h/?tls=true&replicaSet=rs0&ssl=false', badValue('tls')],
    [
      'mongodb://u:swordfish@h/?maxPoolSize=a&minPoolSize=b',
      'its options maxPoolSize, minPoolSize have values that are none for them, or do not go together',
    ],
  ])('%s', async (uri, what) => {
    expect(refusalOf(config(uri))).toBe(what)
    const error = await connect(config(uri), new AbortController().signal).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(Failure)
    expect(error).toMatchObject({
      code: 'config',
      message: `connecting to MongoDB: the connection string is malformed: ${what}`,
    })
    expect(inspect(error, { depth: 9 }) + what).not.toContain('swordfish')
  })

  it('what stands beside it in the file counts', () => {
    const uri = 'mongodb://h/?tls=false'
    expect(refusalOf(config(uri))).toBeUndefined()
    expect(refusalOf(config(uri, { caCert: 'PEM' }))).toBe(badValue('tls'))
  })

  it('nothing where it takes it', () => {
    const uri = 'mongodb://u:p@h1,h2:27018/?replicaSet=rs0&authSource=admin&maxPoolSize=3'
    expect(refusalOf(config(uri))).toBeUndefined()
    expect(hostsIn(config(uri))).toBe('h1:27017,h2:27018')
  })
})
