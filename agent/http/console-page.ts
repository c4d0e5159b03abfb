import { formatBytes } from '../core/units.ts'
import type { RunRecord } from '../runs/run-history.ts'
import type { Status } from './agent-view.ts'

const STYLE = `body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1d2430;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin:2rem 0 .5rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #dde2ea;vertical-align:top}th{font-weight:600;color:#5a6474}
.bad{color:#b3261e;font-weight:600}.good{color:#1b7f3b}small{color:#5a6474}
@media(prefers-color-scheme:dark){body{background:#14181f;color:#e2e6ee}th,td{border-color:#2c3441}th,small{color:#9aa5b5}.bad{color:#ff8a80}.good{color:#7bd88f}}`

const RECENT = 20

/** The agent at a glance: HTML without scripts, everything in it escaped, nothing in it can be pressed. */
export function consolePage(status: Status): string {
  const { version, configuration, policies, locations, runs } = status
  const refused = configuration.lastReload.outcome === 'refused'
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="30"><title>palette-backup</title><style>${STYLE}</style></head><body>
<h1>palette-backup <small>${text(version)}, up since ${text(status.startedAt)}</small></h1>
<p>Configuration ${text(configuration.digest.slice(0, 7))} of ${text(configuration.appliedAt)}${
    refused ? ' <span class="bad">the file has changed and was refused</span>' : ''
  }</p>
<h2>Policies</h2>
${table(
  ['Policy', 'Next run', 'Location', 'Newest complete backup', 'Newest verified', 'Backups'],
  policies.flatMap(({ name, nextRun, retryAt, locations: pairs }) =>
    pairs.map((pair) => [
      text(name),
      text(retryAt ? `${retryAt} (again)` : (nextRun ?? 'never')),
      text(pair.name),
      pair.lastSuccess ? text(pair.lastSuccess) : bad('none'),
      text(pair.lastVerified ?? 'none'),
      text(String(pair.backups)),
    ]),
  ),
)}
<h2>Locations</h2>
${table(
  ['Location', 'State', 'Last error'],
  locations.map(({ name, up, lastError }) => [
    text(name),
    up ? '<span class="good">up</span>' : bad('down'),
    lastError ? `${text(lastError.message)} <small>${text(lastError.at)}</small>` : '',
  ]),
)}
<h2>Runs</h2>
${table(
  ['Run', 'Kind', 'Subject', 'State', 'Since', 'More'],
  [
    ...runs.active.map(({ runId, kind, policy, location, state, since, stage, bytes }) => [
      text(runId),
      text(kind),
      text(policy ?? location ?? ''),
      text(stage ? `${state}: ${stage}` : state),
      text(since),
      text(bytes === undefined ? '' : formatBytes(bytes)),
    ]),
    ...runs.recent.slice(0, RECENT).map(recentRow),
  ],
)}
</body></html>
`
}

function recentRow({ runId, kind, policy, location, result, finishedAt, failure }: RunRecord): string[] {
  const ok = result === 'success'
  const state = ok ? `<span class="good">${text(result)}</span>` : bad(result)
  const subject = policy ?? location ?? ''
  return [text(runId), text(kind), text(subject), state, text(finishedAt), text(failure?.message ?? '')]
}

/** `rows` are HTML. */
function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: 'th' | 'td', row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`
  return `<table>${cells('th', heads)}${rows.map((row) => cells('td', row)).join('\n')}</table>`
}

function bad(word: string): string {
  return `<span class="bad">${text(word)}</span>`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function text(value: string): string {
  return value.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}
