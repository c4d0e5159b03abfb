import { editorSchema } from '../../agent/config/editor-schema.ts'
import type { GeneratedDocument } from './documents.ts'

/** What `palette-backup schema` prints, where editors and the chart find it. */
export const configurationSchema: GeneratedDocument = {
  path: 'config/palette-backup.schema.json',
  render: () => `${JSON.stringify(editorSchema(), null, 2)}\n`,
}
