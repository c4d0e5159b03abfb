import { z } from 'zod'
import { Manifest } from '../../agent/backup/manifest.ts'
import type { GeneratedDocument } from './documents.ts'

/** What other programs may expect of a manifest. */
export const manifestSchema: GeneratedDocument = {
  path: 'docs/manifest.schema.json',
  render: () => `${JSON.stringify({ title: 'Manifest of a backup', ...jsonSchema() }, null, 2)}\n`,
}

function jsonSchema(): z.core.JSONSchema.JSONSchema {
  return z.toJSONSchema(Manifest, {
    target: 'draft-7',
    override({ jsonSchema }) {
      // A limit of JavaScript's numbers, which says nothing to a reader.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
    },
  })
}
