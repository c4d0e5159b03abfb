import { readdir, readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { EXAMPLES } from '../support/examples.ts'
import { YamlLanguageServer } from '../support/language-server.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const examples = (await readdir(EXAMPLES)).filter((name) => name.endsWith('.yaml')).sort()

let editor: YamlLanguageServer
beforeAll(async () => {
  editor = await YamlLanguageServer.start()
})
afterAll(() => editor.stop())

/** `|` stands where the cursor is. */
const WRITTEN = `# yaml-language-server: $schema=./palette-backup.schema.json
version: 1
provider:
  palette:
    cluster_name: prod
    |1
resource:
  backup_storage_location:
    offsite:
      storage_provider: s3
      |2
    nas:
      storage_provider: ftp
      |3
      ftp:
        tls: |4
    new:
      storage_provider: |5
    keys:
      storage_provider: s3
      s3:
        credential_type: secret
        |6
  backup_policy:
    nightly:
      backup_locations: [offsite]
      schedule: "0 2 * * *"
      |7
    weekly:
      interval: 7
      |8
    monthly:
      |9
`
const URI = new URL('written.yaml', EXAMPLES).href

/** What is proposed where the number stands. */
async function proposed(number: number): Promise<readonly string[]> {
  const lines = WRITTEN.split('\n')
  const line = lines.findIndex((one) => one.includes(`|${number}`))
  return await editor.complete(URI, line, (lines[line] ?? '').indexOf('|'))
}

const ATTRIBUTES_OF_S3 = ['bucket_name', 'region', 's3']
const SCHEDULES = ['schedule', 'interval', 'hours_of_day']

describe('an editor that reads the schema named on the first line', () => {
  it.each(examples)('underlines nothing in config/%s', async (name) => {
    const uri = new URL(name, EXAMPLES)
    expect(await editor.open(uri.href, await readFile(uri, 'utf8'))).toEqual([])
  })

  it('underlines what is wrong, at its place', async () => {
    const text = await readFile(new URL('minimal.yaml', EXAMPLES), 'utf8')
    const wrong = text
      .replace('region: eu-west-1', 'regoin: eu-west-1')
      .replace('credential_type: default', 'credential_type: keys')
      .replace('interval: 1', 'interval: 0')
      .replace('retention_period: 14', 'schedule: "0 2 * * *"')
    const found = await editor.open(new URL('wrong.yaml', EXAMPLES).href, wrong)
    const lines = wrong.split('\n')
    const at = found.map(({ message, range }) => `${lines[range.start.line]?.trim().split(':')[0]}: ${message}`)
    expect(at.sort()).toEqual([
      'credential_type: Value is not accepted. Valid values: "secret", "sts", "default".',
      'hours_of_day: Property hours_of_day is not allowed.',
      'interval: Property interval is not allowed.',
      'nightly: Missing property "retention_period".',
      'offsite: Missing property "region".',
      'regoin: Property regoin is not allowed.',
    ])
  })

  it('completes attributes: those that fit what is written already', async () => {
    await editor.open(URI, WRITTEN.replaceAll(/\|\d/g, ''))
    expect(await proposed(1)).toEqual(expect.arrayContaining(['namespace', 'mongodb', 'kubernetes']))
    const ofS3 = await proposed(2)
    expect(ofS3).toEqual(expect.arrayContaining(ATTRIBUTES_OF_S3))
    for (const name of ['ftp', 'filesystem']) expect(ofS3).not.toContain(name)
    const ofFtp = await proposed(3)
    expect(ofFtp).toEqual(expect.arrayContaining(['ca_cert', 'folder']))
    for (const name of ATTRIBUTES_OF_S3) expect(ofFtp).not.toContain(name)
    const withKeys = await proposed(6)
    expect(withKeys).toEqual(expect.arrayContaining(['access_key', 'secret_key', 's3_url']))
    for (const name of ['arn', 'external_id']) expect(withKeys).not.toContain(name)
    const scheduled = await proposed(7)
    expect(scheduled).toEqual(expect.arrayContaining(['retention_period', 'encryption']))
    for (const name of SCHEDULES) expect(scheduled).not.toContain(name)
    const ofInterval = await proposed(8)
    expect(ofInterval).toContain('hours_of_day')
    expect(ofInterval).not.toContain('schedule')
    expect(await proposed(9)).toEqual(expect.arrayContaining(SCHEDULES))
    // What is deprecated is read, and proposed nowhere.
    expect(await proposed(9)).not.toContain('expiry_in_hour')
  })

  it('completes values', async () => {
    await editor.open(URI, WRITTEN.replaceAll(/\|\d/g, ''))
    expect(await proposed(4)).toEqual(['explicit', 'implicit', 'none'])
    expect(await proposed(5)).toEqual(['s3', 'ftp', 'filesystem'])
  })

  it('shows what an attribute means', async () => {
    const uri = new URL('s3-keys.yaml', EXAMPLES)
    const lines = (await readFile(uri, 'utf8')).split('\n')
    await editor.open(uri.href, lines.join('\n'))
    const shown = async (name: string) => {
      const line = lines.findIndex((one) => one.trim().startsWith(`${name}:`))
      return await editor.hover(uri.href, line, (lines[line] ?? '').indexOf(name) + 1)
    }
    expect(await shown('retention_period')).toContain('Days that a backup is kept')
    expect(await shown('bucket_name')).toContain('Name of the bucket')
    expect(await shown('credential_type')).toContain('secret: access\\_key and secret\\_key')
    expect(await shown('secret_key')).toContain('Secret access key')
    expect(await shown('cluster_name')).toContain('Name of this installation')
  })
})
