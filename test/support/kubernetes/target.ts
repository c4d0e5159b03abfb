/** What a call is about: kubernetes.io, "API Concepts", Resource URIs. */
export interface Target {
  readonly verb: 'get' | 'list' | 'create' | 'patch'
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly namespace: string
  readonly name?: string
  readonly query: URLSearchParams
}

const PATH =
  /^\/api(?:s\/(?<group>[^/]+))?\/(?<version>[^/]+)\/namespaces\/(?<namespace>[^/]+)\/(?<plural>[^/]+)(?:\/(?<name>[^/]+))?$/

/** Undefined for what is about no object. */
export function parseTarget(method: string, url: string): Target | undefined {
  const { pathname, searchParams: query } = new URL(url, 'https://double')
  const groups = PATH.exec(pathname)?.groups
  const { group = '', version, namespace, plural, name } = groups ?? {}
  if (!version || !namespace || !plural) return undefined
  const verbs = { GET: name === undefined ? 'list' : 'get', POST: 'create', PATCH: 'patch' } as const
  const verb = method === 'GET' || method === 'POST' || method === 'PATCH' ? verbs[method] : undefined
  if (!verb) return undefined
  return { verb, group, version, plural, namespace, ...(name === undefined ? {} : { name }), query }
}
