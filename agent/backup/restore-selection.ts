import { Failure } from '../core/errors.ts'
import type { Place } from '../sources/source.ts'
import type { Manifest } from './manifest.ts'
import type { MongodbManifestArtifact } from './manifest-artifact.ts'
import { mongodbArtifacts } from './manifest-artifact.ts'

export interface RestoreSelection {
  /** `hubbledb`, `hubbledb.*` or `hubbledb.users`; `*` is any run of characters. Default: everything. */
  readonly include?: readonly string[]
  /** Other names that databases of the backup get in the target. */
  readonly rename?: Readonly<Record<string, string>>
}

export type ManifestCollection = MongodbManifestArtifact['mongodb']['collections'][number]

/** A collection of the backup and where it goes. */
export interface SelectedCollection {
  readonly from: ManifestCollection
  readonly place: Place
}

export interface Selected {
  readonly collections: readonly SelectedCollection[]
  /** Databases of the target that are replaced whole: what stands in them beside the backup goes too. */
  readonly drop: readonly string[]
  /** All databases of the target that are changed. */
  readonly databases: readonly string[]
}

/** What is put back and where; rejects what the backup does not hold, and names that MongoDB does not take. */
export function selectCollections(manifest: Manifest, { include, rename = {} }: RestoreSelection): Selected {
  const doing = `restoring ${manifest.backup_id}`
  const artifacts = mongodbArtifacts(manifest.artifacts)
  const held = artifacts.flatMap(({ mongodb }) => mongodb.databases)
  const all = artifacts.flatMap(({ mongodb }) => mongodb.collections)
  checkNames(doing, held, rename)
  const patterns = (include ?? ['*']).map((text) => ({ text, matches: matcher(text) }))
  const empty = patterns.find(({ matches }) => !all.some(matches) && !held.some((name) => matches({ database: name })))
  if (empty) {
    throw new Failure(`${doing}: it holds nothing that is named ${empty.text}`, {
      code: 'not_found',
      hint: `It holds ${held.join(', ')}; \`palette-backup show\` lists their collections. Write database, database.* or database.collection.`,
    })
  }
  const targetOf = (database: string): string => rename[database] ?? database
  const collections = all
    .filter((one) => patterns.some(({ matches }) => matches(one)))
    .map((from) => {
      const { database, collection, type } = from
      return { from, place: { database: targetOf(database), collection, type } }
    })
  const drop = held.filter((name) => patterns.some(({ matches }) => matches({ database: name }))).map(targetOf)
  const databases = [...new Set([...drop, ...collections.map(({ place }) => place.database)])].sort()
  return { collections, drop, databases }
}

/** Where each collection goes, as a source takes it. */
export function intoOf({ collections }: Selected): ReadonlyMap<string, string> {
  return new Map(collections.map(({ from, place }) => [`${from.database}.${from.collection}`, place.database]))
}

/** Without a collection it asks whether the pattern means the database as a whole. */
function matcher(text: string): (name: { readonly database: string; readonly collection?: string }) => boolean {
  const dot = text.indexOf('.')
  const database = wildcard(dot < 0 ? text : text.slice(0, dot))
  const rest = dot < 0 ? '*' : text.slice(dot + 1)
  const collection = wildcard(rest)
  return (name) =>
    database.test(name.database) && (name.collection === undefined ? rest === '*' : collection.test(name.collection))
}

function wildcard(text: string): RegExp {
  return new RegExp(`^${text.replaceAll(/[\\^$.|?+()[\]{}]/g, String.raw`\$&`).replaceAll('*', '.*')}$`, 's')
}

/** MongoDB manual, "Naming Restrictions"; databases of the server are no place for a backup. */
function checkNames(doing: string, held: readonly string[], rename: Readonly<Record<string, string>>): void {
  for (const [from, to] of Object.entries(rename)) {
    if (!held.includes(from)) {
      throw new Failure(`${doing}: it holds no database named ${from} that could be renamed`, {
        code: 'not_found',
        hint: `It holds ${held.join(', ')}.`,
      })
    }
    if (/[/\\. "$*<>:|?\0]/.test(to) || to === '' || Buffer.byteLength(to) > 63) {
      throw new Failure(`${doing}: MongoDB takes no database named ${JSON.stringify(to)}`, { code: 'config' })
    }
    if (['admin', 'config', 'local'].includes(to)) {
      throw new Failure(`${doing}: ${to} belongs to the server, nothing is restored into it`, { code: 'refused' })
    }
  }
  const targets = held.map((name) => (rename[name] ?? name).toLowerCase())
  const twice = targets.find((name, index) => targets.indexOf(name) !== index)
  if (twice === undefined) return
  throw new Failure(`${doing}: two databases would both go into ${twice}`, { code: 'config' })
}
