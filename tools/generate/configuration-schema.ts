import { configJsonSchema } from '../../agent/config/json-schema.ts'
import type { GeneratedDocument } from './documents.ts'

/** What `palette-backup schema` prints, where editors and the chart find it. */
export const configurationSchema: GeneratedDocument = {
  path: 'config/palette-backup.schema.json',
  render: () => `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
}
