import { CONNECTION_OPTIONS, connectionStringProblem } from '../../core/connection-string.ts'
import { Secret } from '../../core/secret.ts'
import type { MongodbConfig, MongodbOverrides, MongodbTls, PaletteApiConfig, PaletteConfig } from '../config.ts'
import type { Path } from '../document.ts'
import type { Resolved } from '../references.ts'
import type { Reporter } from '../reporter.ts'
import type { ConfigFileValue } from '../schema.ts'
import { suggest } from '../suggestion.ts'
import { buildIdentity } from './encryption.ts'
import { buildKubernetes, checkNamespace } from './kubernetes.ts'
import { checkCaCert, checkCertificate } from './place.ts'

type RawPalette = Resolved<ConfigFileValue>['provider']['palette']
type RawMongodb = RawPalette['mongodb']

const PATH = ['provider', 'palette']
const MONGODB_PATH = [...PATH, 'mongodb']

/** Of mongodb: what a connection string says itself. */
export const NOT_BESIDE_URI = ['stateful_set', 'username', 'password', 'replica_set', 'tls'] as const

export const HOST = /^([Hh][Tt][Tt][Pp][Ss]:\/\/)?[^/?#@]+\/?$/

export function buildPalette({ provider }: Resolved<ConfigFileValue>, report: Reporter): PaletteConfig {
  const { palette } = provider
  const { cluster_name: clusterName, namespace, edition, palette_version: paletteVersion } = palette
  checkNamespace(namespace, [...PATH, 'namespace'], report)
  const caCert = checkCaCert(palette.mongodb.ca_cert, MONGODB_PATH, report)
  const clientCert = buildClientCert(palette.mongodb, report)
  const mongodb = buildMongodb(palette.mongodb, { ...caCert, ...(clientCert ? { tls: clientCert } : {}) }, report)
  const api = buildApi(palette, report)
  const ageIdentity = buildIdentity(palette.age_identity)
  return {
    clusterName,
    namespace,
    ...(edition === undefined ? {} : { edition }),
    ...(paletteVersion === undefined ? {} : { paletteVersion }),
    ...(mongodb ? { mongodb } : {}),
    mongodbOverrides: { ...overridesOf(palette.mongodb), ...caCert, ...(clientCert ? { clientCert } : {}) },
    kubernetes: buildKubernetes(palette.kubernetes, namespace, report),
    ...(api ? { api } : {}),
    ...(ageIdentity ? { ageIdentity } : {}),
  }
}

function buildMongodb(
  raw: RawMongodb,
  tls: Pick<MongodbConfig, 'caCert' | 'tls'>,
  report: Reporter,
): MongodbConfig | undefined {
  if (raw.uri === undefined) return undefined
  if (raw.uri !== '' && !/^mongodb(\+srv)?:\/\/./.test(raw.uri)) {
    const detail = 'Expected a connection string that begins with mongodb:// or mongodb+srv://.'
    report.error({ path: [...MONGODB_PATH, 'uri'], at: 'key', summary: 'Invalid connection string', detail })
  } else if (raw.uri !== '') checkUri(raw.uri, report)
  for (const name of NOT_BESIDE_URI) {
    if (raw[name] === undefined) continue
    const detail = `With uri nothing is looked for: what "${name}" would say belongs into the connection string. Remove one of the two.`
    report.error({ path: [...MONGODB_PATH, name], at: 'key', summary: 'Conflicting attributes', detail })
  }
  return { uri: new Secret(raw.uri), ...tls }
}

function checkUri(uri: string, report: Reporter): void {
  const problem = connectionStringProblem(uri)
  if (!problem) return
  const { what, unknownOption } = problem
  const near = unknownOption === undefined ? '' : suggest(unknownOption, CONNECTION_OPTIONS)
  const detail = `MongoDB's driver will refuse it: ${what}.${near}`
  report.error({ path: [...MONGODB_PATH, 'uri'], at: 'key', summary: 'Invalid connection string', detail })
}

function buildClientCert(raw: RawMongodb, report: Reporter): MongodbTls | undefined {
  const { client_cert: clientCert, client_key: clientKey, tls_allow_invalid_hostnames: allow } = raw
  if ((clientCert === undefined) !== (clientKey === undefined)) {
    const missing = clientCert === undefined ? 'client_cert' : 'client_key'
    const detail = 'A client certificate needs its key, and a key its certificate: client_cert and client_key.'
    report.error({ path: [...MONGODB_PATH, missing], at: 'key', summary: 'Missing required attribute', detail })
  }
  if (clientCert !== undefined) checkCertificate(clientCert, [...MONGODB_PATH, 'client_cert'], report)
  if (clientCert === undefined && allow === undefined) return undefined
  return {
    ...(clientCert === undefined ? {} : { clientCert }),
    ...(clientKey === undefined ? {} : { clientKey: new Secret(clientKey) }),
    allowInvalidHostnames: allow ?? false,
  }
}

function overridesOf(raw: RawMongodb): MongodbOverrides {
  const { stateful_set: statefulSet, username, password, replica_set: replicaSet, tls } = raw
  return {
    ...(statefulSet === undefined ? {} : { statefulSet }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: new Secret(password) }),
    ...(replicaSet === undefined ? {} : { replicaSet }),
    ...(tls === undefined ? {} : { tls }),
  }
}

function buildApi(raw: RawPalette, report: Reporter): PaletteApiConfig | undefined {
  const { host, api_key: apiKey, ignore_insecure_tls_error: ignoreInsecureTlsError } = raw
  if (host === undefined && apiKey === undefined) return undefined
  if (host === undefined || apiKey === undefined) {
    const missing = host === undefined ? 'host' : 'api_key'
    const detail = "host and api_key belong together: the address of Palette's API, and a key of a tenant."
    report.error({ path: [...PATH, missing], at: 'key', summary: 'Missing required attribute', detail })
    return undefined
  }
  const address = addressOf(host)
  if (!address) badHost([...PATH, 'host'], report)
  return { host: address ?? host, apiKey: new Secret(apiKey), ignoreInsecureTlsError }
}

/** As the Terraform provider takes it: with a scheme or without. An API key goes nowhere in clear. */
function addressOf(host: string): string | undefined {
  return HOST.test(host) ? URL.parse(host.includes('://') ? host : `https://${host}`)?.origin : undefined
}

function badHost(path: Path, report: Reporter): void {
  const detail = 'Expected the name of a host, or https:// and the name; an API key is not sent without TLS.'
  report.error({ path, summary: 'Invalid address', detail })
}
