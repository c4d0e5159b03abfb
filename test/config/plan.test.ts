import { expect, it } from 'vitest'
import { explainPlan } from '../../agent/commands/plan-notes.ts'
import type { Config } from '../../agent/config/config.ts'
import { configJsonSchema, type JsonSchema } from '../../agent/config/json-schema.ts'
import { changedLocations, planChanges } from '../../agent/config/plan.ts'
import { Secret } from '../../agent/core/secret.ts'
import { testConfig, testPolicy } from '../runs/test-config.ts'
import { loadExample } from '../support/examples.ts'

const NOW = new Date('2026-11-25T00:00:00Z')
const everything = await loadExample('everything.yaml')

it('names every attribute as the file does, and shows no secret', () => {
  const { changes } = planChanges(everything, otherValues(everything))
  const known = attributeNames(configJsonSchema())
  expect(changes.length).toBeGreaterThan(4)
  for (const { address, action, attributes } of changes) {
    expect(action).toBe('change')
    for (const { name } of attributes) expect(known).toContain(`${address.split('.')[0]} ${name}`)
  }
  expect(JSON.stringify(changes)).not.toContain('swordfish')
  expect(JSON.stringify(changes)).not.toContain('BEGIN')
  const secrets = changes.flatMap(({ attributes }) => attributes.filter(({ after }) => after === '(sensitive)'))
  expect(secrets.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['api_key', 'mongodb.uri', 's3.access_key', 's3.secret_key', 'ftp.password']),
  )
})

it('sees nothing where nothing is', () => {
  expect(planChanges(everything, everything).changes).toEqual([])
  expect(explainPlan(planChanges(everything, everything), everything, everything, { now: NOW })).toContain(
    'No changes.',
  )
})

it('says what stops, starts and changes, and which backups stay', () => {
  const location = (name: string, path: string) =>
    ({ name, storageProvider: 'filesystem', path, folder: '', validate: true }) as const
  const before = testConfig({
    digest: '4f1c02a111',
    locations: [location('nas', '/a'), location('old', '/old')],
    policies: [
      testPolicy({ name: 'nightly', backupLocations: ['nas', 'old'] }),
      testPolicy({ name: 'weekly', backupLocations: ['nas'] }),
    ],
  })
  const after = testConfig({
    digest: '9b02e71222',
    locations: [location('nas', '/b')],
    policies: [
      testPolicy({ name: 'nightly', backupLocations: ['nas'], retentionDays: 7 }),
      testPolicy({ name: 'monthly', backupLocations: ['nas'], schedule: { kind: 'cron', expression: '0 4 1 * *' } }),
    ],
  })
  const plan = planChanges(before, after)
  expect(changedLocations(plan)).toEqual(['nas'])
  const stored = (policy: string, name: string) => (name === 'nas' ? 12 : policy === 'nightly' ? 3 : undefined)
  expect(explainPlan(plan, before, after, { now: NOW, stored, activeRuns: 1 })).toBe(`Configuration 4f1c02a → 9b02e71
  ~ backup_storage_location.nas
      filesystem.path          "/a" → "/b"
  ~ backup_policy.nightly  (its stored backups (3 in old) stay and are no longer pruned)
      backup_locations         ["nas","old"] → ["nas"]
      retention_period         14 → 7
  + backup_policy.monthly  (starts; first backup 2026-12-01T04:00:00Z)
  - backup_storage_location.old  (no longer used; all it holds stays)
  - backup_policy.weekly  (stops; its stored backups (12 in nas) stay and are no longer pruned)
1 to add, 2 to change, 2 to remove. 1 run in progress keeps its configuration.
`)
})

it('without a configuration before, everything is new', () => {
  const { changes, from } = planChanges(undefined, everything)
  expect(from).toBeUndefined()
  expect(new Set(changes.map(({ action }) => action))).toEqual(new Set(['add']))
})

/** The same addresses with another value everywhere. */
function otherValues(config: Config): Config {
  const { locations, policies, palette } = config
  const keepNames = <T extends { readonly name: string }>(things: readonly T[]) =>
    things.map((thing) => ({ ...other(thing), name: thing.name }))
  return { digest: 'other', palette: other(palette), locations: keepNames(locations), policies: keepNames(policies) }
}

function other<T>(value: T): T
function other(value: unknown): unknown {
  if (value instanceof Secret) return new Secret(`${value.reveal()}-swordfish`)
  if (Array.isArray(value)) return [...value, value[0] ?? 'other']
  if (typeof value === 'number') return value + 60_000
  if (typeof value === 'boolean') return !value
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      KEPT.has(key) ? inner : typeof inner === 'string' ? `${inner}x` : other(inner),
    ]),
  )
}

/** What says how the rest is to be read. */
const KEPT: ReadonlySet<string> = new Set(['kind', 'storageProvider', 'expression'])

/** `backup_policy interval` for every attribute. */
function attributeNames({ properties = {} }: JsonSchema): string[] {
  const below = (kind: string, schema: JsonSchema | undefined, prefix = ''): string[] =>
    Object.entries(schema?.properties ?? {}).flatMap(([name, inner]) => [
      `${kind} ${prefix}${name}`,
      ...below(kind, inner, `${prefix}${name}.`),
    ])
  const named = (kind: string): JsonSchema | undefined => {
    const map = properties['resource']?.properties?.[kind]?.additionalProperties
    return typeof map === 'object' ? map : undefined
  }
  return [
    ...below('provider', properties['provider']?.properties?.['palette']),
    ...['backup_storage_location', 'backup_policy'].flatMap((kind) => below(kind, named(kind))),
  ]
}
