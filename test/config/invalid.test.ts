import { readdir, readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { loadConfig } from '../../agent/config/load.ts'
import { formatDiagnostics } from '../../agent/core/diagnostics.ts'

const FOLDER = new URL('invalid/', import.meta.url)

/** Every secret of these files, and every secret that the environment holds. */
const SECRETS = ['swordfish', 'hunter2', '123456']

const env = {
  MONGODB_URI: 'mongodb://u:hunter2@h/?replicaSet=rs0',
  FTP_PASSWORD: 'hunter2',
  S3_ACCESS_KEY: 'hunter2',
  EMPTY: '',
}

const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.yaml')).sort()

it.each(files)('%s is explained as in the text beside it', async (file) => {
  const text = await readFile(new URL(file, FOLDER), 'utf8')
  const { config, diagnostics } = await loadConfig(text, { file, env })

  const explained = formatDiagnostics(diagnostics)
  expect(diagnostics.length).toBeGreaterThan(0)
  expect(config === undefined).toBe(diagnostics.some(({ severity }) => severity === 'error'))
  for (const { range } of diagnostics) expect(range?.line).toBeGreaterThan(0)
  for (const secret of SECRETS) {
    expect(explained).not.toContain(secret)
    expect(JSON.stringify(diagnostics)).not.toContain(secret)
  }
  await expect(explained).toMatchFileSnapshot(new URL(file.replace(/\.yaml$/, '.txt'), FOLDER).pathname)
})
