import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { peerBinary, peersMissing } from './servers/peer.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../dashboards/', import.meta.url))

describe.skipIf(peersMissing('promtool'))('alert rules, as promtool reads them', () => {
  it.each(readdirSync(join(ROOT, 'rules')))('%s has nothing to complain of', async (file) => {
    const { stdout } = await run(peerBinary('promtool'), ['check', 'rules', '--lint-fatal', join(ROOT, 'rules', file)])
    expect(stdout).toContain('SUCCESS: 1 rules found')
  })

  it.each(readdirSync(join(ROOT, 'tests')))('%s: fires when it must, and not otherwise', async (file) => {
    const { stdout } = await run(peerBinary('promtool'), ['test', 'rules', file], { cwd: join(ROOT, 'tests') })
    expect(stdout).toContain('SUCCESS')
  })

  it('understands every query of the dashboard', async () => {
    const dashboard = JSON.parse(await readFile(join(ROOT, 'palette-backup.json'), 'utf8'))
    const queries: { expr: string }[] = [
      ...dashboard.panels.flatMap((panel: { targets?: { expr: string }[] }) => panel.targets ?? []),
      ...dashboard.annotations.list,
    ]
    const rules = queries.map(({ expr }, index) => ({
      record: `query_${index}`,
      expr: expr.replaceAll(/\$__\w+/g, '5m').replaceAll(/\$\w+/g, 'x'),
    }))
    const folder = await mkdtemp(join(tmpdir(), 'palette-backup-queries-'))
    try {
      const file = join(folder, 'rules.json')
      await writeFile(file, JSON.stringify({ groups: [{ name: 'queries', rules }] }))
      const { stdout } = await run(peerBinary('promtool'), ['check', 'rules', file])
      expect(stdout).toContain(`SUCCESS: ${queries.length} rules found`)
      expect(queries.length).toBeGreaterThan(15)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
