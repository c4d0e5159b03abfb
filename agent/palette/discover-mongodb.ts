import { X509Certificate } from 'node:crypto'
import type { MongodbConfig, MongodbOverrides, MongodbTls } from '../config/config.ts'
import { Failure } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import type { HelmRelease } from '../kubernetes/helm-release.ts'
import { describeRef, SECRETS, secretText, textAt } from '../kubernetes/object.ts'
import type { DiscoverOptions } from './discover.ts'
import type { Facts } from './facts.ts'
import type { MongodbWorkload, Setting } from './stateful-set.ts'

/** What Palette's chart calls them where the StatefulSet does not say. */
const ROOT_USER = 'root'
const ROOT_SECRET = 'spectromongosecret'
const ROOT_KEY = 'mongoRootPassword'
const EXTERNAL_USER = 'hubble'
const TLS_SECRET = 'mongo-tls'
/** An external MongoDB knows Palette's user there, as does the one in the cluster its root. */
const AUTH_SOURCE = 'admin'

interface InternalOptions extends DiscoverOptions {
  readonly workload: MongodbWorkload
}

/** The replica set of the StatefulSet, as its root. */
export async function internalMongodb(options: InternalOptions, facts: Facts): Promise<MongodbConfig> {
  const { workload, palette } = options
  const overrides = palette.mongodbOverrides
  if (workload.members.length === 0) {
    throw new Failure(
      `looking for Palette's MongoDB: StatefulSet ${palette.namespace}/${workload.name} has 0 replicas`,
      {
        code: 'unavailable',
        hint: 'Somebody has scaled MongoDB down: scale it up again.',
      },
    )
  }
  const username = await settle(options, 'mongodb.username', workload.username, overrides.username, facts, {
    value: ROOT_USER,
    from: 'as Palette names it',
  })
  const password = await settle(options, 'mongodb.password', workload.password, overrides.password?.reveal(), facts, {
    secret: ROOT_SECRET,
    key: ROOT_KEY,
    from: 'as Palette names it',
  })
  const tls = await discoverTls(options, facts)
  const { namespace } = palette
  return {
    uri: connectionString(username, password, workload.members.join(','), {
      authSource: AUTH_SOURCE,
      replicaSet: overrides.replicaSet ?? workload.replicaSet,
      tls: tls ? 'true' : undefined,
    }),
    origin: {
      account: `the account of MongoDB (user ${username}): ${originOf(facts, 'mongodb.password')}; provider.palette.mongodb.username and .password override what was found`,
      hosts: `StatefulSet ${namespace}/${workload.name}, which the members and the replica set were found in; provider.palette.mongodb.stateful_set, .replica_set or .uri override it`,
    },
    ...(tls?.caCert === undefined ? {} : { caCert: tls.caCert }),
    ...(tls?.tls ? { tls: tls.tls } : {}),
  }
}

/** Where the password was found, in words. */
function originOf({ list }: Facts, name: string): string {
  const from = list.find((fact) => fact.name === name)?.from ?? 'configuration'
  return from === 'configuration' ? `provider.palette.${name}` : `its password is from ${from}`
}

/** What the file says, else what the StatefulSet says, else where the chart is known to put it. */
async function settle(
  options: InternalOptions,
  name: string,
  found: Setting | undefined,
  written: string | undefined,
  facts: Facts,
  known: Setting,
): Promise<string> {
  const shown = (value: string): string => (name.endsWith('password') ? '(sensitive)' : value)
  if (written !== undefined) {
    facts.add(name, shown(written), 'configuration')
    return written
  }
  const setting = found ?? known
  if ('value' in setting) {
    facts.add(name, shown(setting.value), setting.from)
    return setting.value
  }
  const { client, palette, signal } = options
  const ref = { resource: SECRETS, namespace: palette.namespace, name: setting.secret }
  const secret = await client.get(ref, { signal }).catch((thrown: unknown) => {
    throw thrown instanceof Failure && thrown.code === 'not_found' ? withoutSecret(describeRef(ref), name) : thrown
  })
  const value = secretText(secret, setting.key)
  if (value === undefined || value === '') {
    const hint = `It has ${Object.keys(Object(secret['data'])).join(', ') || 'no keys'}. Set provider.palette.${name}.`
    throw new Failure(`reading ${describeRef(ref)}: it has no key ${setting.key}`, { code: 'not_found', hint })
  }
  facts.add(name, shown(value), `${describeRef(ref)}, key ${setting.key} (${setting.from})`)
  return value
}

function withoutSecret(what: string, name: string): Failure {
  return new Failure(`looking for the account of MongoDB: there is no ${what}`, {
    code: 'not_found',
    hint: `Check provider.palette.namespace, or set provider.palette.${name}.`,
  })
}

interface DiscoveredTls {
  readonly caCert?: string
  readonly tls?: MongodbTls
}

/** TLS where MongoDB mounts the certificates; a Secret that only lies there is no proof. */
async function discoverTls(options: InternalOptions, facts: Facts): Promise<DiscoveredTls | undefined> {
  const { workload, palette, client, signal } = options
  const overrides = palette.mongodbOverrides
  // Who names an authority wants TLS.
  const wanted = overrides.tls ?? (overrides.caCert !== undefined || workload.mountsSecret(TLS_SECRET))
  if (!wanted) {
    facts.add('mongodb.tls', 'none', overrides.tls === false ? 'configuration' : `MongoDB mounts no ${TLS_SECRET}`)
    return undefined
  }
  if (overrides.caCert !== undefined) {
    facts.add('mongodb.tls', overrides.clientCert === undefined ? 'TLS' : 'mutual TLS', 'configuration')
    return { caCert: overrides.caCert, ...(overrides.clientCert ? { tls: overrides.clientCert } : {}) }
  }
  const ref = { resource: SECRETS, namespace: palette.namespace, name: TLS_SECRET }
  const secret = await client.get(ref, { signal })
  const [caCert, cert, key] = [
    secretText(secret, 'ca.crt'),
    secretText(secret, 'tls.crt'),
    secretText(secret, 'tls.key'),
  ]
  if (!caCert) {
    throw new Failure(`reading ${describeRef(ref)}: it has no key ca.crt`, {
      code: 'not_found',
      hint: 'Set provider.palette.mongodb.ca_cert, or tls: false.',
    })
  }
  facts.certificate(`${describeRef(ref)}, key ca.crt`, caCert)
  facts.certificate(`${describeRef(ref)}, key tls.crt`, cert)
  const allowInvalidHostnames = overrides.clientCert?.allowInvalidHostnames ?? !coversMembers(cert, workload.members)
  const how = cert && key ? 'mutual TLS' : 'TLS'
  const names = allowInvalidHostnames ? ', the certificate does not name the members: names are not compared' : ''
  facts.add('mongodb.tls', `${how}${names}`, describeRef(ref))
  const client_ = cert && key ? { clientCert: cert, clientKey: new Secret(key) } : {}
  return { caCert, tls: { ...client_, allowInvalidHostnames } }
}

/** Members call each other by names that end in the cluster's domain, which is nearly always this one. */
function coversMembers(cert: string | undefined, members: readonly string[]): boolean {
  if (!cert) return false
  try {
    const certificate = new X509Certificate(cert)
    const hosts = members.map((member) => member.replace(/:\d+$/, ''))
    return hosts.every(
      (host) =>
        certificate.checkHost(host) !== undefined && certificate.checkHost(`${host}.cluster.local`) !== undefined,
    )
  } catch {
    return false
  }
}

/** `mongo.internal: false`: what the values of the chart say about a MongoDB elsewhere. */
export function externalMongodb(release: HelmRelease, overrides: MongodbOverrides, facts: Facts): MongodbConfig {
  const url = textAt(release.values, 'mongo', 'databaseUrl')?.trim()
  const encoded = textAt(release.values, 'mongo', 'databasePassword')
  const password =
    overrides.password?.reveal() ?? (encoded ? Buffer.from(encoded, 'base64').toString('utf8') : undefined)
  const from = `Helm release ${release.name}, mongo.databaseUrl`
  if (!url || !password) {
    throw new Failure(
      `Palette's MongoDB is external (mongo.internal: false), and its chart values do not say how to reach it`,
      {
        code: 'config',
        hint: 'Set provider.palette.mongodb.uri.',
      },
    )
  }
  facts.add('mongodb', 'external', from)
  const username = overrides.username ?? EXTERNAL_USER
  const [, scheme = 'mongodb://', rest = url] = /^(mongodb(?:\+srv)?:\/\/)(.*)$/s.exec(url) ?? []
  // The account in the text, if any, is a placeholder that Palette fills in.
  const [hosts = '', query = ''] = rest.replace(/^[^@/]*@/, '').split(/\/?\?|\/$/)
  facts.add('mongodb.members', hosts, from)
  const options = Object.fromEntries(new URLSearchParams(query))
  const uri = connectionString(username, password, hosts, { authSource: AUTH_SOURCE, ...options }, scheme)
  return {
    uri,
    origin: {
      account: `user ${username} and mongo.databasePassword of Helm release ${release.name}; provider.palette.mongodb.username and .password, or .uri, override it`,
      hosts: `mongo.databaseUrl of Helm release ${release.name}; provider.palette.mongodb.uri overrides it`,
    },
    ...(overrides.caCert === undefined ? {} : { caCert: overrides.caCert }),
    ...(overrides.clientCert === undefined ? {} : { tls: overrides.clientCert }),
  }
}

function connectionString(
  username: string,
  password: string,
  hosts: string,
  options: Readonly<Record<string, string | undefined>>,
  scheme = 'mongodb://',
): Secret {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(options)) if (value !== undefined) query.set(name, value)
  const account = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`
  return new Secret(`${scheme}${account}@${hosts}/?${query}`)
}
