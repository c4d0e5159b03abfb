import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { planSweep, sweep } from '../../agent/backup/sweep.ts'
import { openFilesystem } from '../../agent/locations/filesystem/filesystem-location.ts'
import type { Leftover, Location } from '../../agent/locations/location.ts'
import { OWNER } from './nightly-run.ts'

const NOW = new Date('2026-11-24T02:00:00Z')
const LONG_AGO = new Date('2026-11-20T02:00:00Z')

let path: string
let location: Location

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'palette-backup-strays-'))
  await mkdir(join(path, 'prod/.runs'), { recursive: true })
  location = await openFilesystem({ name: 'disk', storageProvider: 'filesystem', folder: '', validate: true, path })
})
afterEach(() => rm(path, { recursive: true }))

it('what a dead run was writing its record to goes with the record', async () => {
  await record('dead')
  await temporary('dead.json.0123abcd.tmp', NOW)
  expect((await planSweep(location, options())).strays).toEqual([
    { key: 'prod/.runs/dead.json', handle: 'prod/.runs/dead.json.0123abcd.tmp' },
  ])
  expect(await readdir(join(path, 'prod/.runs'))).toHaveLength(2)
  expect(await sweep(location, options())).toMatchObject({ runsSwept: 1, objectsDeleted: 1, problems: [] })
  expect(await readdir(join(path, 'prod/.runs'))).toEqual([])
})

it('what a run that goes on is writing stays, however old its date', async () => {
  await record('alive')
  await temporary('alive.json.0123abcd.tmp', LONG_AGO)
  await sweep(location, options())
  expect(await readdir(join(path, 'prod/.runs'))).toEqual(['alive.json', 'alive.json.0123abcd.tmp'])
})

it('what belongs to no record may be that of a run that begins, until it is old', async () => {
  await temporary('new.json.0123abcd.tmp', NOW)
  await temporary('old.json.0123abcd.tmp', LONG_AGO)
  await sweep(location, options())
  expect(await readdir(join(path, 'prod/.runs'))).toEqual(['new.json.0123abcd.tmp'])
})

it('what is named otherwise stays', async () => {
  for (const name of ['notes.0123abcd.tmp', 'dead.json.tmp', 'dead.json.0123ABCD.tmp']) await temporary(name, LONG_AGO)
  await sweep(location, options())
  expect(await readdir(join(path, 'prod/.runs'))).toHaveLength(3)
})

describe('what no record names', () => {
  const ID = '20261120T020000Z-aaaaaa'

  it.each([
    ['nightly', `${ID}.pin.0123abcd.tmp`],
    ['nightly', `${ID}.verified.json.0123abcd.tmp`],
    ['nightly', `${ID}.damaged.json.0123abcd.tmp`],
    ['nightly', `${ID}.manifest.json.0123abcd.tmp`],
    ['.restores', '0123456789ab.json.0123abcd.tmp'],
    ['.validate', '1764000000000-0123456789ab.large.0123abcd.tmp'],
  ])('goes when it is old: %s/%s', async (folder, name) => {
    const young = name.replace('0123abcd.tmp', 'fedcba98.tmp')
    await temporary(name, LONG_AGO, folder)
    await temporary(young, NOW, folder)
    const strays = [{ key: `prod/${folder}/${name.slice(0, -13)}`, handle: `prod/${folder}/${name}` }]
    expect((await planSweep(location, options())).strays).toEqual(strays)
    expect(await sweep(location, options())).toMatchObject({ objectsDeleted: 1, problems: [] })
    expect(await readdir(join(path, 'prod', folder))).toEqual([young])
  })

  it('stays when a run that goes on has it on record, or somebody else made it', async () => {
    const name = `${ID}.manifest.json.0123abcd.tmp`
    await temporary(name, LONG_AGO, 'nightly')
    await record('alive', [{ key: `prod/nightly/${ID}.manifest.json`, handle: `prod/nightly/${name}` }])
    const others = ['notes.json', '20261120.pin', `${ID}.txt`].map((other) => `${other}.0123abcd.tmp`)
    for (const other of others) await temporary(other, LONG_AGO, 'nightly')
    await temporary(`${ID}.pin.0123abcd.tmp`, LONG_AGO, 'weekly')
    expect((await planSweep(location, options())).strays).toEqual([])
  })
})

async function temporary(name: string, modified: Date, folder = '.runs'): Promise<void> {
  const file = join(path, 'prod', folder, name)
  await mkdir(join(path, 'prod', folder), { recursive: true })
  await writeFile(file, '{')
  await utimes(file, modified, modified)
}

async function record(runId: string, leftovers: readonly Leftover[] = []): Promise<void> {
  const text = JSON.stringify({
    format_version: 1,
    run_id: runId,
    policy: 'nightly',
    backup_id: '20261120T020000Z-aaaaaa',
    owner: OWNER,
    started_at: LONG_AGO.toISOString(),
    heartbeat_at: LONG_AGO.toISOString(),
    leftovers,
  })
  await writeFile(join(path, 'prod/.runs', `${runId}.json`), text)
}

function options() {
  return {
    clusterName: 'prod',
    policies: ['nightly'],
    now: NOW,
    isDead: ({ run_id }: { run_id: string }) => run_id === 'dead',
    signal: new AbortController().signal,
  }
}
