import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { loadConfig } from '../../agent/config/load.ts'

const MINIMAL = await readFile(new URL('../../config/minimal.yaml', import.meta.url), 'utf8')
const withHost = (attributes: string) => MINIMAL.replace('  palette:\n', `  palette:\n    ${attributes}\n`)
const load = (text: string, env: Record<string, string>) =>
  loadConfig(text, { file: 'palette-backup.yaml', env: { MONGODB_URI: 'mongodb://h', ...env } })

const BOTH = { SPECTROCLOUD_HOST: 'env.example.com', SPECTROCLOUD_APIKEY: 'swordfish' }

it('an attribute that declares a variable takes it where the file says nothing', async () => {
  const { config, diagnostics } = await load(MINIMAL, BOTH)
  expect(diagnostics).toEqual([])
  expect(config?.palette.api?.host).toBe('https://env.example.com')
  expect(config?.palette.api?.apiKey.reveal()).toBe('swordfish')
})

it('the file wins', async () => {
  const { config } = await load(withHost('host: file.example.com'), BOTH)
  expect(config?.palette.api?.host).toBe('https://file.example.com')
})

it('a key without a value is not written, an empty variable is not set', async () => {
  expect((await load(withHost('host:'), BOTH)).config?.palette.api?.host).toBe('https://env.example.com')
  expect((await load(MINIMAL, { SPECTROCLOUD_HOST: '', SPECTROCLOUD_APIKEY: '' })).config?.palette.api).toBeUndefined()
})

it('no other variable is looked at', async () => {
  const { config } = await load(MINIMAL, { SPECTROCLOUD_REGION: 'x', REGION: 'x', CLUSTER_NAME: 'x', AWS_REGION: 'x' })
  expect(config?.locations).toMatchObject([{ region: 'eu-west-1' }])
})

it('a message says where a value comes from that the file does not hold', async () => {
  const { diagnostics } = await load(MINIMAL, { ...BOTH, SPECTROCLOUD_HOST: 'http://env.example.com' })
  expect(diagnostics[0]?.detail).toContain('The value is that of the environment variable SPECTROCLOUD_HOST.')
  expect(diagnostics[0]?.range?.line).toBeGreaterThan(0)
  const missing = await load(MINIMAL, { SPECTROCLOUD_HOST: 'env.example.com' })
  expect(missing.diagnostics[0]?.detail).toContain(
    'It may come from the environment variable SPECTROCLOUD_APIKEY, too.',
  )
})
