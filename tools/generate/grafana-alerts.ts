import { readdirSync, readFileSync } from 'node:fs'
import { parse, stringify } from 'yaml'
import type { GeneratedDocument } from './documents.ts'

const RULES = new URL('../../dashboards/rules/', import.meta.url)

const HEAD = `# The rules of rules/, for Grafana itself to evaluate. Made by npm run generate; do not edit.
# Put it in Grafana's provisioning/alerting/ and set PALETTE_BACKUP_DATASOURCE to the uid of your Prometheus data source.
`

/** From Grafana's own environment. */
const DATA_SOURCE = ['$', '{PALETTE_BACKUP_DATASOURCE}'].join('')

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** The same alerts as provisioning for Grafana-managed alerting (grafana.com/docs, file provisioning, apiVersion 1). */
export const grafanaAlerts: GeneratedDocument = {
  path: 'dashboards/grafana-alerts.yaml',
  render() {
    const rules = readdirSync(RULES).flatMap((file) => rulesIn(readFileSync(new URL(file, RULES), 'utf8')))
    const group = { orgId: 1, name: 'palette-backup', folder: 'Palette backup', interval: '1m' }
    const document = { apiVersion: 1, groups: [{ ...group, rules: rules.map(managed) }] }
    return HEAD + stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })
  },
}

function rulesIn(text: string): Rule[] {
  return parse(text).groups.flatMap((group: { rules: Rule[] }) => group.rules)
}

function managed({ alert, expr, for: wait, labels, annotations }: Rule): object {
  return {
    uid: alert.replace(/(?<=.)[A-Z]/g, '-$&').toLowerCase(),
    title: alert,
    // The expression yields only what is wrong, whatever its value: that there is a number is the condition.
    condition: 'B',
    data: [
      query('A', DATA_SOURCE, { expr: expr.trim(), instant: true }),
      query('B', '__expr__', { type: 'math', expression: 'is_number($A)' }),
    ],
    noDataState: 'OK',
    execErrState: 'Error',
    for: wait,
    labels,
    annotations: Object.fromEntries(Object.entries(annotations).map(([name, text]) => [name, inGrafana(text)])),
  }
}

function query(refId: string, datasourceUid: string, model: object): object {
  return { refId, datasourceUid, relativeTimeRange: { from: 600, to: 0 }, model: { refId, ...model } }
}

/** Without a dollar: Grafana takes what follows one for a variable of its environment. */
function inGrafana(template: string): string {
  return template.replaceAll('$labels.', '.Labels.').replaceAll('$value', '.Values.A.Value')
}
