import { systemClock } from '../../agent/core/clock.ts'
import { createMetrics } from '../../agent/metrics/metrics.ts'
import type { GeneratedDocument } from './documents.ts'

const TITLE = `# Metrics

What \`GET /metrics\` of the agent tells Prometheus. Written by \`npm run generate\`; do not edit.

Every series of every configured policy and location exists from the first scrape, and goes with the policy or location.
What stands in the locations is read from them at the start, so a restart loses none of it; counters begin at 0 with
the agent. Times are seconds since 1970 in UTC, 0 where none is known. Labels have only values from the configuration
and the fixed words below, never an id.
`

/** Every metric, from what a registry with one policy and one location really renders. */
export const metricsReference: GeneratedDocument = { path: 'docs/metrics.md', render: metricsPage }

async function metricsPage(): Promise<string> {
  const metrics = createMetrics({
    clock: systemClock,
    version: '1',
    schedule: {
      nextRun: () => undefined,
      expectedIntervalMs: () => 0,
      retryAt: () => undefined,
      clockJumps: () => 0,
      lastTick: () => undefined,
    },
  })
  const policies = [{ name: 'p', backupLocations: ['l'] }]
  const certificates = [{ certificate: 'a', expiresAt: new Date(0) }]
  metrics.onApplied({ digest: 'd', policies, locations: [{ name: 'l' }], certificates })
  const { text } = await metrics.render()
  const rows = text
    .split('\n\n')
    .map((block) => describe(block))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const ours = rows.filter(({ name }) => name.startsWith('palette_backup_'))
  const others = rows.filter(({ name }) => !name.startsWith('palette_backup_'))
  return [TITLE, table(ours), '\n## Of the process\n\n', table(others), `\n## Label values\n\n${values(text)}`].join(
    '\n',
  )
}

interface Row {
  readonly name: string
  readonly type: string
  readonly labels: string
  readonly help: string
}

function describe(block: string): Row {
  const [, name = '', help = ''] = /^# HELP (\S+) (.*)$/m.exec(block) ?? []
  const type = /^# TYPE \S+ (\S+)$/m.exec(block)?.[1] ?? ''
  const labels = [...(/^\w+\{(.*)\} /m.exec(block)?.[1] ?? '').matchAll(/(\w+)="/g)].map(([, label]) => `\`${label}\``)
  return { name, type, labels: labels.join(', '), help }
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ name, type, labels, help }) => `| \`${name}\` | ${type} | ${labels} | ${help} |\n`)
  return `| metric | type | labels | meaning |\n|---|---|---|---|\n${lines.join('')}`
}

function values(text: string): string {
  const lines = ['result', 'stage', 'code'].map((label) => {
    const found = new Set(
      [...text.matchAll(new RegExp(`[{,]${label}="([^"]+)"`, 'g'))].map(([, value]) => `\`${value}\``),
    )
    return `* \`${label}\`: ${[...found].join(', ')}\n`
  })
  return lines.join('')
}
