import { createRequire } from 'node:module'
import fc from 'fast-check'
import { MongoClient } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { CONNECTION_OPTIONS, connectionStringProblem, UNKNOWN_OPTION } from '../../agent/core/connection-string.ts'

function driverTakes(uri: string): boolean {
  try {
    new MongoClient(uri)
    return true
  } catch {
    return false
  }
}

describe('what is wrong with a connection string', () => {
  it.each([
    ['mongodb://u:p@h:999999/', 'the port of its host is no number from 1 to 65535'],
    ['mongodb://h:0/', 'the port of its host is no number from 1 to 65535'],
    ['mongodb://h1,h2:x,h3/', 'the port of host 2 is no number from 1 to 65535'],
    ['mongodb://[::1]:70000/', 'the port of its host is no number from 1 to 65535'],
    ['mongodb://u:p@h^1/', 'the name of its host cannot be one'],
    ['mongodb://u:p@/db', 'no host stands in it'],
    ['mongodb://', 'no host stands in it'],
    ['mongodb://@h/', 'an @ or a colon stands where user name or host begin'],
    ['mongodb://u:a/b@h/', 'its password holds one of : / ? # [ ] @ as it is: percent-encode it'],
    ['mongodb://u/v@h/', 'its user name holds one of : / ? # [ ] @ as it is: percent-encode it'],
    ['mongodb://u:a%@h/', 'its password holds a % that begins no percent-encoding: write it %25'],
    ['mongodb://u:a@b@h/', 'a second @ stands before the hosts: as part of a password, write it %40'],
    ['mongodb+srv://h:27017/', 'mongodb+srv:// takes a name without a port'],
    ['mongodb+srv://a.b.c,d.e.f/', 'mongodb+srv:// takes one name, not a list of hosts'],
    ['mongodb://h/%zz', 'the name of its database holds a % that begins no percent-encoding'],
    ['mongodb://h/?foo=bar', UNKNOWN_OPTION],
    ['mongodb://h/?replicaset=a&replicaset=b', 'its option replicaSet stands in it more than once'],
    ['mongodb://h/?replicaset=', 'its option replicaSet has no value'],
    ['mongodb://h/?serverApi=1', UNKNOWN_OPTION],
    ['mongodb://h/?proxyPassword=Tr0ub&dor3=', UNKNOWN_OPTION],
  ])('%s', (uri, what) => {
    expect(connectionStringProblem(uri)?.what).toBe(what)
    expect(driverTakes(uri)).toBe(false)
  })

  it.each([
    'mongodb://h',
    'mongodb://u:p%40ss@h1:27017,h2/db?replicaSet=rs0&authSource=admin&tls=true',
    'mongodb+srv://u:p@cluster.example.com/?retryWrites=false',
    'mongodb://[::1]:27017/',
    'mongodb://%2Ftmp%2Fmongodb-27017.sock/',
    'mongodb://h/?readPreferenceTags=a:b&readPreferenceTags=',
    'mongodb://h/?APPNAME=x&timeoutMS=',
    'mongodb://h/?replicaSet=a&REPLICASET=b',
  ])('nothing with %s', (uri) => {
    expect(connectionStringProblem(uri)).toBeUndefined()
    expect(driverTakes(uri)).toBe(true)
  })

  it('is never anything in what the driver takes, and quotes nothing', () => {
    const part = fc.constantFrom(
      // No option is spelled so: it is shown nowhere.
      ...['u', 'sword$fish', ':', '@', '/', '?', '#', '%', '%40', ',', '[', ']', '[::1]', 'h', '.', '27017', '99999'],
      ...['&', '=', 'replicaSet=', 'readPreferenceTags=', 'foo=', 'timeoutMS=', 'x.sock', ' ', '+srv', 'a.b.c', '^'],
    )
    const begin = fc.constantFrom('mongodb://', 'mongodb+srv://', 'mongodb://u:sword$fish@', 'mongodb://h/?')
    const uris = fc.tuple(begin, fc.array(part, { maxLength: 9 })).map(([first, parts]) => first + parts.join(''))
    fc.assert(
      fc.property(uris, (uri) => {
        const problem = connectionStringProblem(uri)
        if (problem) expect([problem.what, driverTakes(uri)]).toEqual([problem.what, false])
        expect(problem?.what ?? '').not.toMatch(/[$]|fish/)
      }),
      { numRuns: 5000 },
    )
  })
})

it('the options are those of the driver', () => {
  const driver: unknown = createRequire(import.meta.url)('mongodb/lib/connection_string')
  const { OPTIONS } = z.object({ OPTIONS: z.record(z.string(), z.unknown()) }).parse(driver)
  // Both are for the client alone, and refused in a text.
  const names = Object.keys(OPTIONS).filter((name) => name !== 'serverApi' && name !== 'srvHostValidator')
  expect([...CONNECTION_OPTIONS].sort()).toEqual(names.sort())
})
