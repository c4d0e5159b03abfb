import { Secret } from '../core/secret.ts'
import { formatDuration, MIB } from '../core/units.ts'
import type { Config, LocationConfig, PaletteConfig, PolicyConfig } from './config.ts'

/** Values of one address, by their names in the file: `interval`, `s3.secret_key`. */
export type Attributes = ReadonlyMap<string, unknown>

/** A configuration as what it would be written as, by address: `provider.palette`, `backup_policy.nightly`. */
export function writtenAttributes({ palette, locations, policies }: Config): Map<string, Attributes> {
  const written = new Map([['provider.palette', flatten(paletteAttributes(palette))]])
  for (const { name, ...location } of locations) {
    written.set(`backup_storage_location.${name}`, flatten(locationAttributes(location)))
  }
  for (const { name, ...policy } of policies) written.set(`backup_policy.${name}`, flatten(policyAttributes(policy)))
  return written
}

function paletteAttributes({ mongodb, mongodbOverrides, api, ...palette }: PaletteConfig): object {
  const { clientCert, tls: enforced, ...overrides } = mongodbOverrides
  const { tls = clientCert, ...connection } = mongodb ?? {}
  const { allowInvalidHostnames, ...certificate } = tls ?? {}
  const hostnames = allowInvalidHostnames ? { tlsAllowInvalidHostnames: true } : {}
  const written = { ...overrides, ...(enforced === undefined ? {} : { tls: enforced }), ...connection }
  return { ...palette, ...api, mongodb: { ...written, ...certificate, ...hostnames } }
}

/** What stands in the map of its provider, not beside it. */
const INSIDE: Readonly<Record<LocationConfig['storageProvider'], readonly string[]>> = {
  s3: [
    ...['credentialType', 'accessKey', 'secretKey', 'arn', 'externalId', 's3Url', 's3ForcePathStyle'],
    ...['serverSideEncryption', 'kmsKeyId'],
  ],
  ftp: ['server', 'directory', 'username', 'password', 'tls'],
  filesystem: ['path', 'marker'],
}

type WithoutName<T> = T extends unknown ? Omit<T, 'name'> : never

function locationAttributes(location: WithoutName<LocationConfig>): object {
  const entries = Object.entries(location.storageProvider === 'ftp' ? withServer(location) : location)
  const isInside = ([name]: [string, unknown]): boolean => INSIDE[location.storageProvider].includes(name)
  return {
    ...Object.fromEntries(entries.filter((entry) => !isInside(entry))),
    [location.storageProvider]: Object.fromEntries(entries.filter(isInside)),
  }
}

function withServer<T extends { readonly host: string; readonly port: number }>({ host, port, ...others }: T): object {
  return { ...others, server: `${host}:${port}` }
}

function policyAttributes({ schedule, timeoutMs, memoryLimitBytes, ...policy }: Omit<PolicyConfig, 'name'>): object {
  const { kind, ...when } = schedule
  return { ...policy, ...when, timeout: formatDuration(timeoutMs), memoryLimit: memoryLimitBytes / MIB }
}

const WRITTEN_AS: Readonly<Record<string, string>> = {
  retentionDays: 'retention_period',
  intervalDays: 'interval',
  expression: 'schedule',
  includeClusterResources: 'include_cluster_resources_mode',
}

function flatten(attributes: object, prefix = ''): Map<string, unknown> {
  const flat = new Map<string, unknown>()
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue
    const name = `${prefix}${WRITTEN_AS[key] ?? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`
    if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Secret) {
      flat.set(name, value)
    } else for (const [inner, innerValue] of flatten(value, `${name}.`)) flat.set(inner, innerValue)
  }
  return flat
}
