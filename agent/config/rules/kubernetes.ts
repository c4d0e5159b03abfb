import type { KubernetesConfig, NamespacedName } from '../config.ts'
import type { Path } from '../document.ts'
import type { Resolved } from '../references.ts'
import type { Reporter } from '../reporter.ts'
import type { ConfigFileValue } from '../schema.ts'

type RawKubernetes = Resolved<ConfigFileValue>['provider']['palette']['kubernetes']

const PATH = ['provider', 'palette', 'kubernetes']
/** RFC 1123 label and subdomain: kubernetes.io, "Object Names and IDs". */
export const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
export const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/

export const API_SERVER = /^[Hh][Tt][Tt][Pp][Ss]:\/\/[^/?#@]+\/?$/

export function buildKubernetes(raw: RawKubernetes, namespace: string, report: Reporter): KubernetesConfig {
  const { server, service_account_directory: serviceAccountDirectory } = raw
  if (server !== undefined && !isServer(server)) {
    const detail = 'Expected https://host or https://host:port: a token is not sent without TLS.'
    report.error({ path: [...PATH, 'server'], summary: 'Invalid address', detail })
  }
  if (serviceAccountDirectory !== undefined && !serviceAccountDirectory.startsWith('/')) {
    const detail = 'Expected an absolute path.'
    report.error({ path: [...PATH, 'service_account_directory'], summary: 'Relative path', detail })
  }
  const names = (list: readonly string[], attribute: string, needed: boolean): NamespacedName[] =>
    list.flatMap((text, index) => parseName(text, needed ? undefined : namespace, [...PATH, attribute, index], report))
  return {
    ...(server === undefined ? {} : { server }),
    ...(serviceAccountDirectory === undefined ? {} : { serviceAccountDirectory }),
    secrets: names(raw.secrets, 'secrets', false),
    optionalSecrets: names(raw.optional_secrets, 'optional_secrets', false),
    helmReleases: names(raw.helm_releases, 'helm_releases', true),
  }
}

export function checkNamespace(name: string, path: Path, report: Reporter): void {
  if (NAMESPACE.test(name)) return
  const detail = 'A namespace is lower-case letters, digits and -, at most 63.'
  report.error({ path, summary: 'Invalid namespace', detail })
}

function isServer(text: string): boolean {
  return API_SERVER.test(text) && URL.canParse(text)
}

/** `name` or `namespace/name`; without `fallback` the namespace must be there. */
function parseName(text: string, fallback: string | undefined, path: Path, report: Reporter): NamespacedName[] {
  const [name = '', written, ...others] = text.split('/').reverse()
  const namespace = written ?? fallback
  const isWritten = written === undefined || NAMESPACE.test(written)
  if (others.length === 0 && namespace !== undefined && isWritten && NAME.test(name)) return [{ namespace, name }]
  const detail = `Expected ${fallback === undefined ? 'namespace/name' : 'name or namespace/name'}, in lower case.`
  report.error({ path, summary: 'Invalid name', detail })
  return []
}
