import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { namedMetrics, servedMetrics } from './metric-names.ts'

const ROOT = new URL('../../dashboards/', import.meta.url)
const NAMES = readdirSync(new URL('rules/', ROOT)).map((file) => basename(file, '.yaml'))

function text(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}

describe.each(NAMES)('alert rule %s', (name) => {
  const { groups } = parse(text(`rules/${name}.yaml`))
  const [{ rules, name: group }] = groups
  const [rule] = rules
  const alert = `PaletteBackup${name.replace(/(?:^|-)./g, (start) => start.slice(-1).toUpperCase())}`

  it('is one alert in one group, named after its file', () => {
    expect(groups).toHaveLength(1)
    expect(rules).toHaveLength(1)
    expect(group).toBe(`palette-backup-${name}`)
    expect(rule.alert).toBe(alert)
  })

  it('says how bad it is, what it is, and what to do', () => {
    expect(['critical', 'warning']).toContain(rule.labels.severity)
    expect(rule.for).toMatch(/^\d+[mh]$/)
    expect(rule.annotations).toEqual({
      summary: expect.stringMatching(/\S/),
      description: expect.stringMatching(/\.$/),
      runbook_url: `runbooks/${name}.md`,
    })
    const runbook = text(`runbooks/${name}.md`)
    expect(runbook).toMatch(new RegExp(`^# ${alert}\n`))
    for (const part of ['**Means:**', '**Harm:**', '\n1. ', '**Ends** ']) expect(runbook).toContain(part)
  })

  it('names only metrics that the agent serves', async () => {
    const named = namedMetrics(rule.expr)
    expect(named.size).toBeGreaterThan(0)
    expect(await servedMetrics()).toEqual(new Set([...(await servedMetrics()), ...named]))
  })

  it('has unit tests in which it fires and in which it does not', () => {
    const { rule_files, tests } = parse(text(`tests/${name}_test.yaml`))
    expect(rule_files).toEqual([`../rules/${name}.yaml`])
    const expected: { alertname: string; exp_alerts: unknown[] }[] = tests.flatMap(
      (test: { alert_rule_test: unknown[] }) => test.alert_rule_test,
    )
    expect(new Set(expected.map(({ alertname }) => alertname))).toEqual(new Set([alert]))
    expect(new Set(expected.map(({ exp_alerts }) => exp_alerts.length > 0))).toEqual(new Set([true, false]))
  })
})

it('has no runbook and no unit test of a rule that is not there', () => {
  expect(readdirSync(new URL('runbooks/', ROOT)).map((file) => basename(file, '.md'))).toEqual(NAMES)
  expect(readdirSync(new URL('tests/', ROOT)).map((file) => basename(file, '_test.yaml'))).toEqual(NAMES)
})

describe('the same alerts for Grafana', () => {
  const { groups } = parse(text('grafana-alerts.yaml'))

  it('are all there, each with its expression, and a condition on it', () => {
    const rules: { title: string; condition: string; data: { refId: string; model: object }[] }[] = groups[0].rules
    const sources = NAMES.map((name) => parse(text(`rules/${name}.yaml`)).groups[0].rules[0])
    expect(rules.map(({ title }) => title)).toEqual(sources.map(({ alert }) => alert))
    for (const [index, { condition, data }] of rules.entries()) {
      expect(condition).toBe('B')
      expect(data[0]?.model).toMatchObject({ refId: 'A', expr: sources[index].expr.trim(), instant: true })
      expect(data[1]?.model).toEqual({ refId: 'B', type: 'math', expression: 'is_number($A)' })
    }
  })

  it('have no dollar where Grafana would take it for its environment, and no identifier that is too long', () => {
    for (const { uid, annotations } of groups[0].rules) {
      expect(JSON.stringify(annotations)).not.toContain('$')
      expect(uid).toMatch(/^[a-z-]{1,40}$/)
    }
  })
})
