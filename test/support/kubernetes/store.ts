import type { KubernetesObject } from '../../../agent/kubernetes/object.ts'
import { apiVersionOf, valueAt } from '../../../agent/kubernetes/object.ts'
import { mergePatch } from './merge-patch.ts'
import { podsOf } from './pods.ts'
import { type Reply, refuse } from './status.ts'
import type { Target } from './target.ts'

const KINDS: Readonly<Record<string, string>> = {
  Secret: 'secrets',
  ConfigMap: 'configmaps',
  Namespace: 'namespaces',
  Pod: 'pods',
  Deployment: 'deployments',
  StatefulSet: 'statefulsets',
  CronJob: 'cronjobs',
  Event: 'events',
}

type Listener = (object: KubernetesObject) => void

/** All objects of the double, by kind, namespace and name. */
export class Store {
  readonly #objects = new Map<string, KubernetesObject>()
  readonly #listeners: Listener[] = []
  #version = 1
  /** `false`: what is started from now on does not become ready. */
  podsReady = true
  /** A list in pages whose `continue` is older than this is refused with 410. */
  #oldestContinue = 0

  constructor(objects: readonly KubernetesObject[]) {
    for (const object of objects) this.put(object)
  }

  put(object: KubernetesObject): KubernetesObject {
    this.#version += 1
    const uid = valueAt(object, 'metadata', 'uid') ?? `uid-${this.#version}`
    const managedFields = [{ manager: 'helm', operation: 'Update' }]
    const metadata = { ...object.metadata, uid, resourceVersion: String(this.#version), managedFields }
    const stored = { ...object, metadata, ...this.#statusOf(object) }
    this.#objects.set(keyOf(object), stored)
    for (const listener of this.#listeners) listener(stored)
    return stored
  }

  remove(kind: string, namespace: string, name: string): void {
    this.#objects.delete(`${KINDS[kind]} ${namespace} ${name}`)
  }

  find(kind: string, namespace: string, name: string): KubernetesObject | undefined {
    return this.#objects.get(`${KINDS[kind]} ${namespace} ${name}`)
  }

  /** Called for every object that is written. */
  onWrite(listener: Listener): void {
    this.#listeners.push(listener)
  }

  /** Lists that have begun are too old from now on. */
  expireLists(): void {
    this.#oldestContinue = this.#version + 1
  }

  handle(target: Target, body: unknown): Reply {
    switch (target.verb) {
      case 'get':
        return { code: 200, body: this.#require(target) }
      case 'list':
        return this.#list(target)
      case 'create':
        return this.#create(target, body)
      case 'patch':
        return this.#patch(target, body)
    }
  }

  /** `/api/v1`, `/apis`, `/apis/apps/v1`: what kinds there are. */
  discovery(path: string): Reply | undefined {
    const apps = ['Deployment', 'StatefulSet']
    const groups: Record<string, readonly string[]> = {
      '/api/v1': Object.keys(KINDS).filter((kind) => !apps.includes(kind) && kind !== 'CronJob'),
      '/apis/apps/v1': apps,
      '/apis/batch/v1': ['CronJob'],
    }
    if (path === '/apis') {
      const versions = ['apps/v1', 'batch/v1'].map((groupVersion) => ({ preferredVersion: { groupVersion } }))
      return { code: 200, body: { kind: 'APIGroupList', groups: versions } }
    }
    const kinds = groups[path]
    if (!kinds) return undefined
    const resources = kinds.flatMap((kind) => [
      { name: KINDS[kind], namespaced: kind !== 'Namespace', kind, verbs: ['get', 'list', 'patch', 'create'] },
      ...(apps.includes(kind)
        ? [{ name: `${KINDS[kind]}/scale`, namespaced: true, kind: 'Scale', verbs: ['get'] }]
        : []),
    ])
    return { code: 200, body: { kind: 'APIResourceList', resources } }
  }

  /** Controllers are quick here: replicas that are asked for are ready. */
  #statusOf({ kind, spec }: KubernetesObject): object {
    if (kind !== 'Deployment' && kind !== 'StatefulSet') return {}
    return { status: { readyReplicas: this.podsReady ? Number(valueAt(spec, 'replicas') ?? 1) : 0 } }
  }

  #require(target: Target): KubernetesObject {
    const found = this.#all(target).find(({ metadata }) => metadata.name === target.name)
    return found ?? refuse(404, 'NotFound', `${target.plural} "${target.name}" not found`)
  }

  #list(target: Target): Reply {
    const { query } = target
    const limit = Number(query.get('limit') ?? 500)
    const [began = String(this.#version), after = ''] = query.get('continue')?.split(':') ?? []
    if (Number(began) < this.#oldestContinue) {
      const metadata = { continue: `${this.#version + 1}:${after}` }
      return { code: 410, body: { kind: 'Status', reason: 'Expired', message: 'list too old', metadata } }
    }
    const selected = this.#all(target)
      .filter(({ metadata }) => metadata.name > after && isSelected(metadata.labels ?? {}, query.get('labelSelector')))
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    const page = selected.slice(0, limit)
    const last = page.at(-1)?.metadata.name
    const next = selected.length > limit && last !== undefined ? `${began}:${last}` : ''
    const items = page.map(({ apiVersion: _, kind: __, ...item }) => item)
    return { code: 200, body: { kind: 'List', metadata: { continue: next }, items } }
  }

  /** Pods are made of the workloads' replicas: there is no other controller here. */
  #all({ group, version, plural, namespace }: Target): KubernetesObject[] {
    const objects = [...this.#objects.values()].filter(({ metadata }) => metadata.namespace === namespace)
    if (plural === 'pods' && group === '') return podsOf(objects)
    return objects.filter(
      ({ kind, apiVersion }) => KINDS[kind] === plural && apiVersion === apiVersionOf({ group, version }),
    )
  }

  #create(target: Target, body: unknown): Reply {
    const object = asObject(body)
    if (this.#objects.has(keyOf(object))) {
      refuse(409, 'AlreadyExists', `${target.plural} "${object.metadata.name}" already exists`)
    }
    return { code: 201, body: target.query.get('dryRun') === 'All' ? object : this.put(object) }
  }

  #patch(target: Target, body: unknown): Reply {
    const before = this.#require(target)
    const after = asObject(mergePatch(before, body))
    if (before['immutable'] === true && JSON.stringify(before['data']) !== JSON.stringify(after['data'])) {
      refuse(
        422,
        'Invalid',
        `Secret "${target.name}" is invalid: data: Forbidden: field is immutable when \`immutable\` is set`,
      )
    }
    const expected = valueAt(body, 'metadata', 'resourceVersion')
    if (expected !== undefined && expected !== before.metadata['resourceVersion']) {
      refuse(
        409,
        'Conflict',
        `Operation cannot be fulfilled on ${target.plural} "${target.name}": the object has been modified`,
      )
    }
    return { code: 200, body: target.query.get('dryRun') === 'All' ? after : this.put(after) }
  }
}

function keyOf({ kind, metadata }: KubernetesObject): string {
  return `${KINDS[kind]} ${metadata.namespace ?? ''} ${metadata.name}`
}

function isSelected(labels: Readonly<Record<string, string>>, selector: string | null): boolean {
  if (!selector) return true
  return selector.split(',').every((term) => {
    const [key = '', value] = term.split('=')
    return labels[key] === value
  })
}

function asObject(value: unknown): KubernetesObject {
  const { apiVersion, kind, metadata } = Object(value)
  if (typeof kind !== 'string' || typeof metadata?.name !== 'string') refuse(400, 'BadRequest', 'no object')
  return { ...Object(value), apiVersion, kind, metadata }
}
