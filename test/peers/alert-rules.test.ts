import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
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
})
