import type { Clock } from '../core/clock.ts'
import { Failure } from '../core/errors.ts'
import type { KubernetesAccess } from './access.ts'
import type { KubernetesObject, ObjectRef, Resource } from './object.ts'
import { apiVersionOf, describeRef, listAt, resourceName, textAt, valueAt } from './object.ts'
import type { Answer, Rule } from './transport.ts'
import { Transport } from './transport.ts'

/** Objects asked for at once: a Secret or ConfigMap can have 1 MiB, and a page is held in memory. */
const PAGE = 50
/** Stands in `managedFields` of what this program applies. */
const FIELD_MANAGER = 'palette-backup'

interface CallOptions {
  readonly signal: AbortSignal
}

export interface ListOptions extends CallOptions {
  readonly labelSelector?: string
}

export interface PatchOptions extends CallOptions {
  /** Ask the server to do all but the writing. */
  readonly dryRun?: boolean
  readonly subresource?: 'scale'
}

/**
 * The part of the Kubernetes API that is needed here (kubernetes.io, "Kubernetes API Concepts"), with every object as the
 * server sent it: no field is dropped because this program does not know it.
 */
export class KubernetesClient implements Disposable {
  readonly #transport: Transport

  constructor(access: KubernetesAccess, clock: Clock) {
    this.#transport = new Transport(access, clock)
  }

  get server(): string {
    return this.#transport.server
  }

  /** Rejects with `not_found`, `permission`, ... */
  async get(ref: ObjectRef, options: CallOptions): Promise<KubernetesObject> {
    const answer = await this.#read(ref, options, [])
    return objectOf(answer.body, ref.resource, describeRef(ref))
  }

  /** Undefined where there is no such object, or no such namespace. */
  async find(ref: ObjectRef, options: CallOptions): Promise<KubernetesObject | undefined> {
    const answer = await this.#read(ref, options, [404])
    return answer.status === 404 ? undefined : objectOf(answer.body, ref.resource, describeRef(ref))
  }

  /**
   * Every object of one kind in a namespace, by name, page after page. A list that takes longer than the server keeps its
   * state (410) goes on with what the server has now, as the API allows: none is given twice, none is left out.
   */
  async *list(
    resource: Resource,
    namespace: string,
    { signal, labelSelector }: ListOptions,
  ): AsyncGenerator<KubernetesObject> {
    const rule: Rule = { verb: 'list', group: resource.group, resource: resource.plural, namespace }
    const doing = `listing ${resourceName(resource)} of namespace ${namespace}`
    let next: string | undefined
    do {
      const query = new URLSearchParams({ limit: String(PAGE) })
      if (labelSelector !== undefined) query.set('labelSelector', labelSelector)
      if (next !== undefined) query.set('continue', next)
      const path = `${collectionPath(resource, namespace)}?${query}`
      const { status, body } = await this.#transport.call({ doing, method: 'GET', path, rule, signal }, [410])
      const resume = textAt(body, 'metadata', 'continue')
      if (status === 410 && (resume === undefined || resume === next)) {
        throw new Failure(`${doing}: the list expired before it was read`, { code: 'unavailable', retryable: true })
      }
      for (const item of listAt(body, 'items')) yield objectOf(item, resource, doing)
      next = resume === '' ? undefined : resume
    } while (next !== undefined)
  }

  /** Changes only what `change` names; `null` removes (RFC 7386). */
  async patch(ref: ObjectRef, change: object, options: PatchOptions): Promise<KubernetesObject> {
    return await this.#write(ref, 'PATCH', { contentType: 'application/merge-patch+json', json: change }, options)
  }

  async create(ref: ObjectRef, object: object, options: PatchOptions): Promise<KubernetesObject> {
    return await this.#write(ref, 'POST', { contentType: 'application/json', json: object }, options)
  }

  /** Every kind of object that lives in namespaces and can be listed and read; groups that cannot be asked are named. */
  async namespacedResources(options: CallOptions): Promise<{ resources: Resource[]; unread: Failure[] }> {
    const resources: Resource[] = []
    const unread: Failure[] = []
    const { body } = await this.#discover('/apis', options)
    const versions = listAt(body, 'groups').flatMap((group) => textAt(group, 'preferredVersion', 'groupVersion') ?? [])
    for (const version of ['', ...versions]) {
      try {
        const found = await this.#discover(version === '' ? '/api/v1' : `/apis/${version}`, options)
        resources.push(...resourcesOf(found.body, version))
      } catch (thrown) {
        // An aggregated API whose server is down must not hide all others.
        if (!(thrown instanceof Failure) || thrown.code === 'cancelled') throw thrown
        unread.push(thrown)
      }
    }
    return { resources, unread }
  }

  /** `v1.36.4` */
  async serverVersion(options: CallOptions): Promise<string | undefined> {
    return textAt((await this.#discover('/version', options)).body, 'gitVersion')
  }

  /** Ends the connections. */
  [Symbol.dispose](): void {
    this.#transport.close()
  }

  #discover(path: string, { signal }: CallOptions): Promise<Answer> {
    return this.#transport.call({ doing: `asking the API server for ${path}`, method: 'GET', path, signal })
  }

  #read(ref: ObjectRef, { signal }: CallOptions, accepted: readonly number[]): Promise<Answer> {
    const path = objectPath(ref)
    return this.#transport.call(
      { doing: `reading ${describeRef(ref)}`, method: 'GET', path, rule: ruleOf(ref, 'get'), signal },
      accepted,
    )
  }

  async #write(
    ref: ObjectRef,
    method: 'POST' | 'PATCH',
    body: { readonly contentType: string; readonly json: unknown },
    { signal, dryRun, subresource }: PatchOptions,
  ): Promise<KubernetesObject> {
    const query = new URLSearchParams({ fieldManager: FIELD_MANAGER, fieldValidation: 'Strict' })
    if (dryRun) query.set('dryRun', 'All')
    const target = method === 'POST' ? collectionPath(ref.resource, ref.namespace) : objectPath(ref)
    const path = `${target}${subresource ? `/${subresource}` : ''}?${query}`
    const doing = `${dryRun ? 'trying to change' : method === 'POST' ? 'creating' : 'changing'} ${describeRef(ref)}`
    const rule = ruleOf(ref, method === 'POST' ? 'create' : 'patch', subresource)
    const { body: answer } = await this.#transport.call({ doing, method, path, body, rule, signal })
    return objectOf(answer, ref.resource, doing)
  }
}

function ruleOf({ resource, namespace, name }: ObjectRef, verb: Rule['verb'], subresource?: string): Rule {
  const plural = subresource ? `${resource.plural}/${subresource}` : resource.plural
  return { verb, group: resource.group, resource: plural, namespace, name }
}

function collectionPath(resource: Resource, namespace: string): string {
  const root = resource.group === '' ? '/api' : '/apis'
  return `${root}/${apiVersionOf(resource)}/namespaces/${encodeURIComponent(namespace)}/${resource.plural}`
}

function objectPath({ resource, namespace, name }: ObjectRef): string {
  return `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`
}

/** Items of a list come without their kind. */
function objectOf(value: unknown, resource: Resource, doing: string): KubernetesObject {
  const name = textAt(value, 'metadata', 'name')
  const metadata = valueAt(value, 'metadata')
  if (name === undefined || typeof value !== 'object' || typeof metadata !== 'object') {
    throw new Failure(`${doing}: the API server sent something that is no object`, { code: 'internal' })
  }
  const kind = textAt(value, 'kind') ?? resource.kind
  const apiVersion = textAt(value, 'apiVersion') ?? apiVersionOf(resource)
  return { ...value, apiVersion, kind, metadata: { ...metadata, name } }
}

function resourcesOf(body: unknown, groupVersion: string): Resource[] {
  const [group, version] = groupVersion === '' ? ['', 'v1'] : groupVersion.split('/')
  return listAt(body, 'resources').flatMap((found) => {
    const plural = textAt(found, 'name')
    const kind = textAt(found, 'kind')
    const verbs = listAt(found, 'verbs')
    const usable = valueAt(found, 'namespaced') === true && verbs.includes('list') && verbs.includes('get')
    if (!usable || !plural || !kind || plural.includes('/') || group === undefined || version === undefined) return []
    return [{ group, version, plural, kind }]
  })
}
