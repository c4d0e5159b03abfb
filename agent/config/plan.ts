import { isDeepStrictEqual } from 'node:util'
import { MASK, Secret } from '../core/secret.ts'
import type { Config } from './config.ts'
import { type Attributes, writtenAttributes } from './written-attributes.ts'

/** What applying a configuration changes, without any secret. */
export interface Plan {
  /** Digest of the file in force; absent when there is none. */
  readonly from?: string
  readonly to: string
  readonly changes: readonly Change[]
}

export interface Change {
  /** `provider.palette`, `backup_policy.nightly` */
  readonly address: string
  readonly action: 'add' | 'change' | 'remove'
  /** Only of what changes; as they are written in the file. */
  readonly attributes: readonly { readonly name: string; readonly before: string; readonly after: string }[]
}

export function planChanges(before: Config | undefined, after: Config): Plan {
  const old = before ? writtenAttributes(before) : new Map<string, Attributes>()
  const next = writtenAttributes(after)
  const changes: Change[] = []
  for (const [address, attributes] of next) {
    const earlier = old.get(address)
    const changed = earlier ? differences(earlier, attributes) : []
    if (!earlier) changes.push({ address, action: 'add', attributes: [] })
    else if (changed.length > 0) changes.push({ address, action: 'change', attributes: changed })
  }
  for (const address of old.keys()) {
    if (!next.has(address)) changes.push({ address, action: 'remove', attributes: [] })
  }
  return { ...(before ? { from: before.digest } : {}), to: after.digest, changes }
}

/** Names of the locations that a plan adds or changes. */
export function changedLocations({ changes }: Plan): string[] {
  const prefix = 'backup_storage_location.'
  return changes
    .filter(({ address, action }) => action !== 'remove' && address.startsWith(prefix))
    .map(({ address }) => address.slice(prefix.length))
}

const SIGNS = { add: '+', change: '~', remove: '-' } as const

/** One line for each change, without values. */
export function summarizeChanges({ changes }: Plan): string[] {
  return changes.map(({ address, action }) => `${SIGNS[action]} ${address}`)
}

/** As a person reads it. `note` says more about a change, in words for the end of its line. */
export function formatPlan(
  { from, to, changes }: Plan,
  { note = () => '', ends = '' }: { readonly note?: (change: Change) => string; readonly ends?: string } = {},
): string {
  const title = `Configuration ${from ? `${short(from)} → ` : ''}${short(to)}`
  if (changes.length === 0) return `${title}\nNo changes.\n`
  const lines = changes.flatMap((change) => [
    `  ${SIGNS[change.action]} ${change.address}${inBrackets(note(change))}`,
    ...change.attributes.map(({ name, before, after }) => `      ${name.padEnd(24)} ${before} → ${after}`),
  ])
  const count = (action: Change['action']): number => changes.filter((change) => change.action === action).length
  const counts = `${count('add')} to add, ${count('change')} to change, ${count('remove')} to remove.`
  return `${[title, ...lines, ends === '' ? counts : `${counts} ${ends}`].join('\n')}\n`
}

function inBrackets(text: string): string {
  return text === '' ? '' : `  (${text})`
}

function differences(before: Attributes, after: Attributes): Change['attributes'] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((name) => !isSame(before.get(name), after.get(name)))
    .map((name) => ({ name, before: show(before.get(name)), after: show(after.get(name)) }))
}

/** Secrets hide their values from every comparison but their own. */
function isSame(one: unknown, other: unknown): boolean {
  if (!(one instanceof Secret) || !(other instanceof Secret)) return isDeepStrictEqual(one, other)
  return one.equals(other)
}

function show(value: unknown): string {
  if (value === undefined) return '(not set)'
  if (value instanceof Secret) return MASK
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === 'string' && inner.includes('-----BEGIN')) return '(PEM text)'
    return isNamed(inner) ? `${inner.namespace}/${inner.name}` : inner
  })
}

function isNamed(value: unknown): value is { namespace: string; name: string } {
  return typeof value === 'object' && value !== null && 'namespace' in value && 'name' in value
}

function short(digest: string): string {
  return digest.slice(0, 7)
}
