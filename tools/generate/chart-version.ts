import { readFileSync } from 'node:fs'
import type { GeneratedDocument } from './documents.ts'

const PACKAGE = new URL('../../package.json', import.meta.url)

/** The chart's appVersion is the program's version. */
export const chartVersion: GeneratedDocument = {
  path: 'charts/palette-backup/Chart.yaml',
  render: (current) => current.replace(/^appVersion: .*$/m, `appVersion: ${version()}`),
}

function version(): string {
  return String(JSON.parse(readFileSync(PACKAGE, 'utf8')).version)
}
