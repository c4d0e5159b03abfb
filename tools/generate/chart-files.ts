import { readdirSync, readFileSync } from 'node:fs'
import type { GeneratedDocument } from './documents.ts'

const DASHBOARDS = new URL('../../dashboards/', import.meta.url)
const FILES = 'charts/palette-backup/files'

/** Helm packs nothing from outside a chart's own folder: what it ships of `dashboards/` is copied into it. */
export const chartFiles: readonly GeneratedDocument[] = [
  ...copies('rules', '.yaml', `${FILES}/rules`),
  ...copies('.', '.json', `${FILES}/dashboards`),
]

function copies(folder: string, ending: string, to: string): GeneratedDocument[] {
  const from = new URL(`${folder}/`, DASHBOARDS)
  const names = readdirSync(from).filter((name) => name.endsWith(ending))
  return names.map((name) => ({ path: `${to}/${name}`, render: () => readFileSync(new URL(name, from), 'utf8') }))
}
