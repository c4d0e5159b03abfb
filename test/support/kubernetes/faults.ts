import { type Reply, status } from './status.ts'
import type { Target } from './target.ts'

export type Fault =
  | { readonly kind: 'cut' | 'silence' | 'half'; readonly reply?: undefined }
  | { readonly kind: 'reply'; readonly reply: Reply }

type Which = Partial<Pick<Target, 'verb' | 'plural' | 'namespace' | 'name'>>

/** What goes wrong, and when. */
export class Faults {
  readonly #planned: { readonly which: Which; readonly fault: Fault; left: number }[] = []
  readonly #denied: Which[] = []

  /** The next `times` calls that match meet the fault. */
  plan(fault: Fault, which: Which = {}, times = 1): void {
    this.#planned.push({ which, fault, left: times })
  }

  throttle(seconds: number, which: Which = {}, times = 1): void {
    const headers = { 'retry-after': String(seconds) }
    this.plan({ kind: 'reply', reply: status(429, 'TooManyRequests', 'too many requests', headers) }, which, times)
  }

  unavailable(which: Which = {}, times = 1): void {
    this.plan({ kind: 'reply', reply: status(503, 'ServiceUnavailable', 'etcd has no leader') }, which, times)
  }

  /** From now on such calls are forbidden, as without a Role. */
  deny(which: Which): void {
    this.#denied.push(which)
  }

  next(target: Target | undefined): Fault | undefined {
    const found = this.#planned.find(({ which, left }) => left > 0 && matches(which, target))
    if (!found) return undefined
    found.left -= 1
    return found.fault
  }

  denied(target: Target): Reply | undefined {
    if (!this.#denied.some((which) => matches(which, target))) return undefined
    const { plural, name, verb, group, namespace } = target
    const what = name === undefined ? plural : `${plural} "${name}"`
    const who = 'User "system:serviceaccount:palette-backup:palette-backup"'
    const message = `${what} is forbidden: ${who} cannot ${verb} resource "${plural}" in API group "${group}" in the namespace "${namespace}"`
    return status(403, 'Forbidden', message)
  }
}

function matches(which: Which, target: Target | undefined): boolean {
  return Object.entries(which).every(([key, value]) => target !== undefined && Reflect.get(target, key) === value)
}
