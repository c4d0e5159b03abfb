import { isDeepStrictEqual } from 'node:util'
import { MASK, Secret } from '../core/secret.ts'
import type { Config } from './config.ts'

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

type Attributes = Readonly<Record<string, unknown>>

export function planChanges(before: Config | undefined, after: Config): Plan {
  const old = before ? addresses(before) : new Map<string, Attributes>()
  const next = addresses(after)
  const changes: Change[] = []
  for (const [address, attributes] of next) {
    const earlier = old.get(address)
    if (!earlier) changes.push({ address, action: 'add', attributes: [] })
    else if (!isSame(earlier, attributes)) {
      changes.push({ address, action: 'change', attributes: differences(earlier, attributes) })
    }
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

export function formatPlan({ from, to, changes }: Plan): string {
  const title = `Configuration ${from ? `${short(from)} → ` : ''}${short(to)}`
  if (changes.length === 0) return `${title}\nNo changes.\n`
  const lines = changes.flatMap(({ address, action, attributes }) => [
    `  ${SIGNS[action]} ${address}${action === 'remove' ? '  (its stored backups stay)' : ''}`,
    ...attributes.map(({ name, before, after }) => `      ${name.padEnd(24)} ${before} → ${after}`),
  ])
  const count = (action: Change['action']): number => changes.filter((change) => change.action === action).length
  return [
    title,
    ...lines,
    `${count('add')} to add, ${count('change')} to change, ${count('remove')} to remove.\n`,
  ].join('\n')
}

/** One line for each change, without values. */
export function summarizeChanges({ changes }: Plan): string[] {
  return changes.map(({ address, action }) => `${SIGNS[action]} ${address}`)
}

function addresses({ palette, locations, policies }: Config): Map<string, Attributes> {
  const { mongodb, mongodbOverrides, kubernetes, api, ...provider } = palette
  const parts: [string, Attributes][] = [
    [
      'provider.palette',
      {
        ...provider,
        ...api,
        ...nested('mongodb', { ...mongodbOverrides, ...mongodb }),
        ...nested('kubernetes', kubernetes),
      },
    ],
  ]
  for (const { name, ...location } of locations) parts.push([`backup_storage_location.${name}`, location])
  for (const { name, schedule, ...policy } of policies) {
    const { kind, ...when } = schedule
    parts.push([`backup_policy.${name}`, { ...policy, ...when }])
  }
  return new Map(parts)
}

function nested(prefix: string, attributes: object): Attributes {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`${prefix}.${name}`, value]))
}

function differences(before: Attributes, after: Attributes): Change['attributes'] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names]
    .filter((name) => !isSame(before[name], after[name]))
    .map((name) => ({ name: attributeName(name), before: show(name, before[name]), after: show(name, after[name]) }))
}

/** Secrets hide their values from every comparison but their own. */
function isSame(one: unknown, other: unknown): boolean {
  if (one instanceof Secret || other instanceof Secret) {
    return one instanceof Secret && other instanceof Secret && one.equals(other)
  }
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null || Array.isArray(one)) {
    return isDeepStrictEqual(one, other)
  }
  const left = new Map(Object.entries(one))
  const right = new Map(Object.entries(other))
  return left.size === right.size && [...left].every(([key, value]) => right.has(key) && isSame(value, right.get(key)))
}

const WRITTEN_AS: Readonly<Record<string, string>> = {
  retentionDays: 'retention_period',
  intervalDays: 'interval',
  expression: 'schedule',
}

function attributeName(name: string): string {
  return WRITTEN_AS[name] ?? name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function show(name: string, value: unknown): string {
  if (value === undefined) return '(not set)'
  if (value instanceof Secret) return MASK
  if (name.endsWith('caCert')) return '(PEM text)'
  return JSON.stringify(value)
}

function short(digest: string): string {
  return digest.slice(0, 7)
}
