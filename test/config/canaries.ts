import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, expect } from 'vitest'
import { type LoadedConfig, loadConfig } from '../../agent/config/load.ts'
import { formatDiagnostics } from '../../agent/core/diagnostics.ts'
import { RECIPIENTS } from '../support/examples.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'

/** What no message may ever hold, wherever a mutation has put it. */
export const CANARY = 'c4nary!swordfish'

const CONFIG = new URL('../../config/', import.meta.url)
const names = (await readdir(CONFIG)).filter((name) => name.endsWith('.yaml'))

/** Every example, with canaries for secrets, by its name. */
export const documents: ReadonlyMap<string, string> = new Map(
  await Promise.all(
    names.map(async (name) => [name, withCanaries(await readFile(new URL(name, CONFIG), 'utf8'))] as const),
  ),
)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mutations-'))
  await mkdir(join(folder, 'secrets'))
  await writeFile(join(folder, 'secrets/ca.pem'), selfSignedCertificate().cert)
  await writeFile(join(folder, 'age-recipient.txt'), RECIPIENTS[0])
})
afterAll(() => rm(folder, { recursive: true }))

/** Secrets written out, so that a mutation can carry them to every place; other references as plain values. */
function withCanaries(text: string): string {
  const reference = /^( *)(\w+): \{ *\$(?:env|file): *(\S+) *\}/gm
  return text
    .replaceAll('{ $env: SECOND_AGE_RECIPIENT }', RECIPIENTS[1])
    .replaceAll(/(mongodb): \{ (uri: \{[^}]*\}) \}/g, '$1:\n      $2')
    .replaceAll(reference, (all, indent: string, key: string, name: string) => {
      if (name.endsWith('.pem')) return all
      if (key === 'uri') return `${indent}uri: "mongodb://user:${CANARY}@mongo-0.mongo:27017/"`
      if (key === 's3_url') return `${indent}s3_url: "https://user:${CANARY}@s3.example.com"`
      return `${indent}${key}: ${/server|username|external_id/.test(key) ? 'plain' : CANARY}`
    })
}

export async function load(text: string): Promise<LoadedConfig> {
  return await loadConfig(text, { file: join(folder, 'palette-backup.yaml'), env: {} })
}

/** What holds of every text whatsoever. */
export function check({ config, diagnostics }: LoadedConfig): void {
  expect(config === undefined).toBe(diagnostics.some(({ severity }) => severity === 'error'))
  for (const { range, summary, detail } of diagnostics) {
    if (summary !== 'Too many problems') expect(range?.line).toBeGreaterThan(0)
    expect(detail.length).toBeGreaterThan(0)
  }
  expect(formatDiagnostics(diagnostics) + JSON.stringify(diagnostics) + JSON.stringify(config ?? {})).not.toContain(
    CANARY,
  )
}

/** Where no value can have slipped into an attribute that is shown. */
export function checkConfig({ config }: LoadedConfig): void {
  expect(JSON.stringify(config ?? {}) + inspect(config, { depth: 9 })).not.toContain(CANARY)
}
