import type { Document } from 'mongodb'
import { Failure } from '../../core/errors.ts'
import type { ArchiveMetadata } from './archive/format.ts'
import { readExtendedJson } from './archive/read-extended-json.ts'

/** What `metadata` of an archive holds, its values typed as BSON. */
export interface CollectionPlan extends ArchiveMetadata {
  readonly options: Document
  readonly indexes: readonly Document[]
}

export function readPlan(metadata: ArchiveMetadata): CollectionPlan {
  try {
    const parsed = readExtendedJson(metadata.metadata === '' ? '{}' : metadata.metadata)
    const indexes = parsed.get('indexes')
    return {
      ...metadata,
      options: fieldsIn(parsed.get('options')),
      indexes: Array.isArray(indexes) ? indexes.map(fieldsIn) : [],
    }
  } catch (cause) {
    const name = `${metadata.database}.${metadata.collection}`
    throw new Failure(`restoring ${name}: its metadata is not Extended JSON`, { code: 'damaged', cause })
  }
}

/** The names of options are words, so that an object keeps their order; what is inside stays a map. */
function fieldsIn(document: unknown): Document {
  return document instanceof Map ? Object.fromEntries(document) : {}
}
