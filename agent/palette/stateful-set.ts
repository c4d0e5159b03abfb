import type { KubernetesObject } from '../kubernetes/object.ts'
import { listAt, textAt, valueAt } from '../kubernetes/object.ts'

/** What a StatefulSet of MongoDB tells about itself. */
export interface MongodbWorkload {
  readonly name: string
  /** `mongo-0.mongo.hubble-system.svc:27017`: a name that each cluster completes with its own domain. */
  readonly members: readonly string[]
  /** Absent: the chart sets it in a way that does not show; the members tell it themselves. */
  readonly replicaSet?: string
  readonly username?: Setting
  readonly password?: Setting
  /** The TLS Secret that is mounted into its containers. */
  readonly mountsSecret: (name: string) => boolean
  /** Names of the variables of the root account: they differ between the editions. */
  readonly rootVariables: readonly string[]
}

/** A value, or the key of a Secret that holds it. */
export type Setting =
  | { readonly value: string; readonly from: string }
  | { readonly secret: string; readonly key: string; readonly from: string }

const MONGODB_PORT = 27017
const ROOT_USERNAME = /^MONGO(DB)?_INITDB_ROOT_USERNAME$/
const ROOT_PASSWORD = /^MONGO(DB)?_INITDB_ROOT_PASSWORD$/

export function readWorkload(statefulSet: KubernetesObject, namespace: string): MongodbWorkload {
  const { name } = statefulSet.metadata
  const service = textAt(statefulSet, 'spec', 'serviceName') ?? name
  const replicas = Number(valueAt(statefulSet, 'spec', 'replicas') ?? 1)
  // Ordinals begin elsewhere than at 0 where `spec.ordinals.start` says so.
  const first = Number(valueAt(statefulSet, 'spec', 'ordinals', 'start') ?? 0)
  const containers = listAt(statefulSet, 'spec', 'template', 'spec', 'containers')
  const main = containers.find((container) => textAt(container, 'name') === name) ?? containers[0]
  const port = Number(valueAt(listAt(main, 'ports')[0], 'containerPort') ?? MONGODB_PORT)
  const hosts = Array.from({ length: replicas }, (_, index) => `${name}-${first + index}.${service}.${namespace}.svc`)
  const replicaSet = containers.map(replicaSetOf).find((found) => found !== undefined)
  const variables = containers.flatMap((container) => listAt(container, 'env'))
  const username = settingOf(variables, ROOT_USERNAME)
  const password = settingOf(variables, ROOT_PASSWORD)
  return {
    name,
    members: hosts.map((host) => `${host}:${port}`),
    ...(replicaSet === undefined ? {} : { replicaSet }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    mountsSecret: (secret) => mountedSecrets(statefulSet).includes(secret),
    rootVariables: variables.flatMap((variable) => textAt(variable, 'name') ?? []).filter(isRootVariable),
  }
}

function isRootVariable(name: string): boolean {
  return ROOT_USERNAME.test(name) || ROOT_PASSWORD.test(name)
}

/** `--replSet rs0`, `--replSet=rs0`, alone or inside one line of a shell. */
function replicaSetOf(container: unknown): string | undefined {
  const words = [...listAt(container, 'command'), ...listAt(container, 'args')].join(' ')
  return /(?:^|\s)--replSet[=\s]+["']?([A-Za-z0-9_-]+)/.exec(words)?.[1]
}

function settingOf(variables: readonly unknown[], wanted: RegExp): Setting | undefined {
  for (const variable of variables) {
    const name = textAt(variable, 'name')
    if (name === undefined || !wanted.test(name)) continue
    const value = textAt(variable, 'value')
    // `$(OTHER)` is filled in by the kubelet from another variable: not a value.
    if (value !== undefined && value !== '' && !value.includes('$(')) return { value, from: `variable ${name}` }
    const secret = textAt(variable, 'valueFrom', 'secretKeyRef', 'name')
    const key = textAt(variable, 'valueFrom', 'secretKeyRef', 'key')
    if (secret !== undefined && key !== undefined) return { secret, key, from: `variable ${name}` }
  }
  return undefined
}

function mountedSecrets(statefulSet: KubernetesObject): string[] {
  return listAt(statefulSet, 'spec', 'template', 'spec', 'volumes').flatMap((volume) => [
    ...(textAt(volume, 'secret', 'secretName') ?? '').split(' ').filter((name) => name !== ''),
    ...listAt(volume, 'projected', 'sources').flatMap((source) => textAt(source, 'secret', 'name') ?? []),
  ])
}
