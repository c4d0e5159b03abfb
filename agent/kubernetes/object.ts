/** What every object of the API has; all else stays as the server sent it. */
export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly [field: string]: unknown
}

export interface ObjectMeta {
  readonly name: string
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

/** One kind of object as the API server offers it. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
}

export interface ObjectRef {
  readonly resource: Resource
  readonly namespace: string
  readonly name: string
}

export const SECRETS: Resource = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret' }
export const CONFIG_MAPS: Resource = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' }
export const STATEFUL_SETS: Resource = { group: 'apps', version: 'v1', plural: 'statefulsets', kind: 'StatefulSet' }
export const DEPLOYMENTS: Resource = { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment' }

/** `secrets`, `deployments.apps`: as kubectl and Roles write it. */
export function resourceName({ plural, group }: Pick<Resource, 'plural' | 'group'>): string {
  return group === '' ? plural : `${plural}.${group}`
}

/** `Secret hubble-system/configserversecret` */
export function describeRef({ resource, namespace, name }: ObjectRef): string {
  return `${resource.kind} ${namespace}/${name}`
}

export function apiVersionOf({ group, version }: Pick<Resource, 'group' | 'version'>): string {
  return group === '' ? version : `${group}/${version}`
}

/** The value below `path` in parsed JSON; undefined where something on the way is missing or of another kind. */
export function valueAt(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value
  for (const key of path) {
    if (typeof found !== 'object' || found === null) return undefined
    found = Object.hasOwn(found, key) ? Reflect.get(found, key) : undefined
  }
  return found
}

export function textAt(value: unknown, ...path: readonly (string | number)[]): string | undefined {
  const found = valueAt(value, ...path)
  return typeof found === 'string' ? found : undefined
}

export function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = valueAt(value, ...path)
  return Array.isArray(found) ? found : []
}

/** The value of one key of a Secret, as text. */
export function secretText(secret: KubernetesObject, key: string): string | undefined {
  const encoded = textAt(secret, 'data', key)
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8')
}

/** `Secret default/sh.helm.release.v1.hubble.v3` */
export function describeObject({ kind, metadata }: KubernetesObject): string {
  return metadata.namespace === undefined
    ? `${kind} ${metadata.name}`
    : `${kind} ${metadata.namespace}/${metadata.name}`
}
