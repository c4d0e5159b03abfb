import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Config } from '../../agent/config/config.ts'
import { type LoadedConfig, readConfigFile } from '../../agent/config/load.ts'
import { selfSignedCertificate } from './mongodb/certificate.ts'

export const EXAMPLES = new URL('../../config/', import.meta.url)

/** Public keys that nobody has the identities of. */
export const RECIPIENTS = [
  'age1rj0scarrrgu87aapzrp0mztcze9e6s8knmrk0n4t9vle7z3jmfpsdzfg0q',
  'age1gzajx9rldy2kln8ez78m7dhfp999vkda5rkqm58u430l5gx7yukqknes9k',
] as const

/** Loads a file of config/ with something fitting behind every variable and every file that it names. */
export async function readExample(name: string): Promise<LoadedConfig & { readonly text: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'example-'))
  try {
    const text = await readFile(new URL(name, EXAMPLES), 'utf8')
    await writeFile(join(folder, name), text)
    for (const secret of referenced(text, '$file')) {
      await mkdir(dirname(join(folder, secret)), { recursive: true })
      await writeFile(join(folder, secret), `${valueFor(secret)}\n`)
    }
    const env = Object.fromEntries(referenced(text, '$env').map((variable) => [variable, valueFor(variable)]))
    return { ...(await readConfigFile(join(folder, name), env)), text }
  } finally {
    await rm(folder, { recursive: true })
  }
}

export async function loadExample(name: string): Promise<Config> {
  const { config, diagnostics } = await readExample(name)
  if (config) return config
  throw new Error(`${name}: ${JSON.stringify(diagnostics)}`)
}

function referenced(text: string, key: '$env' | '$file'): string[] {
  return [...text.matchAll(new RegExp(`\\{ *\\${key}: *([^ }]+) *\\}`, 'g'))].map(([, name = '']) => name)
}

function valueFor(name: string): string {
  if (/\.pem$|_CA$/.test(name)) return selfSignedCertificate().cert
  if (/mongodb.?uri/i.test(name)) return 'mongodb://backup:secret@mongo-0.mongo:27017/?replicaSet=rs0&authSource=admin'
  if (/s3.?url/i.test(name)) return 'http://127.0.0.1:9000'
  if (/age.?recipient/i.test(name)) return name.startsWith('SECOND') ? RECIPIENTS[1] : RECIPIENTS[0]
  if (/server/i.test(name)) return 'ftp://127.0.0.1:21'
  return 'a-secret-of-this-name'
}
