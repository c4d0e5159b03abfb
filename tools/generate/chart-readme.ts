import { replaceBetweenMarks } from './between-marks.ts'
import type { ChartValue } from './chart-values.ts'
import { readChartValues } from './chart-values.ts'
import type { GeneratedDocument } from './documents.ts'

const HEAD = ['| value | default | meaning |', '|---|---|---|']

/** The table of values in the chart's README. */
export const chartReadme: GeneratedDocument = {
  path: 'charts/palette-backup/README.md',
  render: (current) => replaceBetweenMarks(current, 'values', [...HEAD, ...rows(readChartValues(), '')].join('\n')),
}

function rows(values: readonly ChartValue[], prefix: string): string[] {
  return values.flatMap(({ name, description, fallback, inner }) => {
    const path = `${prefix}${name}`
    if (inner) return rows(inner, `${path}.`)
    return [`| \`${path}\` | \`${JSON.stringify(fallback)}\` | ${description.replaceAll('|', '\\|')} |`]
  })
}
