import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { CI_VALUES, renderChart } from './servers/helm.ts'
import { peerBinary, peersMissing } from './servers/peer.ts'

/** What is meant as it is, by the name kube-score gives its check. Everything else it finds is a defect. */
const EXPLAINED: Readonly<Record<string, string>> = {
  'Container Resources': 'no limit of CPU: it would only make backups longer',
  'Container Image Pull Policy': 'a version or a digest never changes, so nothing is to be pulled again',
  'Pod NetworkPolicy': 'off by default: only the operator knows what the agent must reach',
  'Deployment Replicas': 'two agents would make every backup twice',
  'Deployment Strategy': 'the old agent must be gone before the new one comes',
}

interface Checked {
  readonly object_name: string
  readonly checks: readonly {
    readonly check: { readonly name: string }
    readonly skipped: boolean
    readonly grade: number
  }[]
}

/** 10 is all that kube-score gives. */
const ALL_OK = 10

describe.skipIf(peersMissing('helm', 'kube-score'))('kube-score', () => {
  it.each(Object.entries(CI_VALUES))('finds nothing unexplained with ci/%s-values.yaml', async (_, file) => {
    const objects = await renderChart('-f', file)
    const checked = await score(objects.map((object) => stringify(object)).join('---\n'))
    const found = checked.flatMap(({ checks }) =>
      checks.filter(({ grade, skipped }) => !skipped && grade < ALL_OK).map(({ check }) => check.name),
    )
    expect(checked.length).toBeGreaterThan(1)
    expect(found.filter((name) => !(name in EXPLAINED))).toEqual([])
  })
})

async function score(manifests: string): Promise<readonly Checked[]> {
  const child = spawn(peerBinary('kube-score'), ['score', '--output-format', 'json', '-'], { stdio: 'pipe' })
  child.stdin.end(manifests)
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout)
}
