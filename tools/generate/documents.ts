import { chartFiles } from './chart-files.ts'
import { chartReadme } from './chart-readme.ts'
import { chartSchema } from './chart-schema.ts'
import { chartVersion } from './chart-version.ts'
import { configurationReference } from './configuration-reference.ts'
import { configurationSchema } from './configuration-schema.ts'
import { grafanaAlerts } from './grafana-alerts.ts'
import { manifestSchema } from './manifest-schema.ts'
import { metricsReference } from './metrics-reference.ts'

/** A file of the repository that is made, wholly or between two marks, from the program itself. */
export interface GeneratedDocument {
  /** From the root of the repository. */
  readonly path: string
  /** The file as it must be, from the file as it is; empty where there is none yet. */
  render(current: string): string | Promise<string>
}

/** All of them: `npm run generate` writes them, a test compares them. */
export const documents: readonly GeneratedDocument[] = [
  configurationSchema,
  configurationReference,
  metricsReference,
  chartVersion,
  chartSchema,
  chartReadme,
  ...chartFiles,
  grafanaAlerts,
  manifestSchema,
]
