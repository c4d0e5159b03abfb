import type { MongoClient } from 'mongodb'
import { ConnectionString } from 'mongodb-connection-string-url'

/** What belongs to finding a server in a set and not to talking to it. MongoDB manual, Connection String Options. */
const OF_THE_SET = [
  'replicaset',
  'directconnection',
  'loadbalanced',
  'readpreference',
  'readpreferencetags',
  'maxstalenessseconds',
]
const OF_SRV = ['srvservicename', 'srvmaxhosts']

/** The connection string for one member: the same user, TLS and options. What a DNS record added is added here too. */
export function memberUri(uri: string, host: string, { options }: MongoClient): string {
  const whole = new ConnectionString(uri)
  const text = whole.isSRV ? uri.replace(/^mongodb\+srv:/, 'mongodb:') : uri
  const member = new ConnectionString(text)
  member.hosts = [host]
  for (const name of [...member.searchParams.keys()]) {
    if ([...OF_THE_SET, ...OF_SRV].includes(name.toLowerCase())) member.searchParams.delete(name)
  }
  member.searchParams.set('directConnection', 'true')
  if (whole.isSRV) {
    const given = member.typedSearchParams<{ tls: string; ssl: string; authSource: string }>()
    if (!given.has('tls') && !given.has('ssl')) given.set('tls', 'true')
    const source = options.credentials?.source
    if (!given.has('authSource') && source) given.set('authSource', source)
  }
  return member.toString()
}
