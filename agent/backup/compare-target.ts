import { Failure } from '../core/errors.ts'
import type { Place, PlaceFacts } from '../sources/source.ts'
import type { ManifestCollection, SelectedCollection } from './restore-selection.ts'

/** Collections that are named in a message; the rest is counted. */
const SHOWN = 5

export interface Comparison {
  /** What is not as in the backup and is no fault, as sentences. */
  readonly notes: readonly string[]
}

/**
 * Compares what stands in the target with the manifest, collection by collection: number of documents, and the digest
 * over all of their bytes. `expiring` names collections that the server itself takes old documents out of.
 */
export function compareTarget(
  doing: string,
  expected: readonly SelectedCollection[],
  found: readonly PlaceFacts[],
  expiring: readonly string[],
): Comparison {
  const byName = new Map(found.map((facts) => [nameOf(facts), facts]))
  const notes: string[] = []
  const wrong: string[] = []
  for (const { from, place } of expected) {
    const name = nameOf(place)
    const facts = byName.get(name)
    const difference = differenceOf(from, facts)
    if (difference === undefined) continue
    const fewer = facts !== undefined && facts.digest !== 'absent' && facts.documents < from.documents
    if (expiring.includes(name) && fewer) notes.push(`${name} has ${difference}: it has documents that expire (TTL)`)
    else wrong.push(`${name} has ${difference}`)
  }
  if (wrong.length === 0) return { notes }
  const more = wrong.length > SHOWN ? `, and ${wrong.length - SHOWN} more` : ''
  throw new Failure(`${doing}: the target is not what the backup holds: ${wrong.slice(0, SHOWN).join('; ')}${more}`, {
    code: 'damaged',
    hint: 'Something wrote meanwhile, or the server lost writes. Run the restore again, or: palette-backup restore --rollback',
  })
}

function differenceOf(from: ManifestCollection, facts: PlaceFacts | undefined): string | undefined {
  if (facts === undefined || facts.digest === 'absent') return 'nothing, it is not there'
  if (facts.documents !== from.documents) return `${facts.documents} documents instead of ${from.documents}`
  if (from.digest === undefined || facts.digest === from.digest) return undefined
  return `other bytes in its ${from.documents} documents`
}

export function nameOf({ database, collection }: Pick<Place, 'database' | 'collection'>): string {
  return `${database}.${collection}`
}
