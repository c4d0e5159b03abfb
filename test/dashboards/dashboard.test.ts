import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { namedMetrics, servedMetrics } from './metric-names.ts'

interface Target {
  readonly refId: string
  readonly expr: string
  readonly datasource: { readonly uid: string }
}

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource: { readonly uid: string }
  readonly targets: readonly Target[]
  readonly fieldConfig: {
    readonly defaults: { readonly unit: string; readonly thresholds: { readonly steps: readonly { value: number }[] } }
  }
}

const TEXT = readFileSync(new URL('../../dashboards/palette-backup.json', import.meta.url), 'utf8')
const dashboard = JSON.parse(TEXT)
const all: readonly Panel[] = dashboard.panels
const panels = all.filter(({ type }) => type !== 'row')

describe('the dashboard', () => {
  it('can be imported anywhere: its own uid, no id, one data source that is chosen', () => {
    expect(dashboard).toMatchObject({ uid: 'palette-backup', id: null, title: 'Palette backup' })
    expect(dashboard.templating.list[0]).toMatchObject({ name: 'datasource', type: 'datasource', query: 'prometheus' })
    const sources = [...TEXT.matchAll(/"uid": "([^"]*)"/g)].map(([, uid]) => uid)
    expect(new Set(sources)).toEqual(new Set(['palette-backup', '$' + '{datasource}']))
  })

  it('names only metrics that the agent serves', async () => {
    const served = await servedMetrics()
    expect([...namedMetrics(TEXT)].filter((name) => !served.has(name))).toEqual([])
    expect(namedMetrics(TEXT).size).toBeGreaterThan(12)
  })

  it('uses only variables that it declares, and each of them', () => {
    const declared = dashboard.templating.list.map(({ name }: { name: string }) => name)
    const used = [...TEXT.matchAll(/\$\{?(\w+)/g)].map(([, name]) => name).filter((name) => !name?.startsWith('__'))
    expect(new Set(used)).toEqual(new Set(declared))
  })

  it('has an id for each panel, and panels that do not lie on each other', () => {
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
    const cells = all.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    expect(Math.max(...all.map(({ gridPos: { x, w } }) => x + w))).toBe(24)
  })
})

describe.each(panels)('panel "$title"', (panel) => {
  it('says what it shows, in which unit, and what is bad', () => {
    expect(panel.title).toMatch(/\S/)
    expect(panel.description).toMatch(/\.$/)
    expect(panel.fieldConfig.defaults.unit).toMatch(/\S/)
    const { steps } = panel.fieldConfig.defaults.thresholds
    expect(steps[0]?.value).toBe(null)
    expect(steps.slice(1).map(({ value }) => value)).toEqual(
      steps
        .slice(1)
        .map(({ value }) => value)
        .sort((a, b) => a - b),
    )
  })

  it('asks the chosen data source, about the chosen agents', () => {
    expect(panel.datasource.uid).toBe('$' + '{datasource}')
    expect(panel.targets.length).toBeGreaterThan(0)
    for (const { expr, datasource } of panel.targets) {
      expect(datasource.uid).toBe('$' + '{datasource}')
      for (const [selector] of expr.matchAll(/\b(palette_backup|process)_[a-z_]+(\{[^}]*\})?/g)) {
        expect(selector).toContain('job=~"$job"')
      }
    }
  })
})
