import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { planSweep, sweep } from '../../agent/backup/sweep.ts'
import { openFilesystem } from '../../agent/locations/filesystem/filesystem-location.ts'
import type { Location } from '../../agent/locations/location.ts'
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

async function temporary(name: string, modified: Date): Promise<void> {
  const file = join(path, 'prod/.runs', name)
  await writeFile(file, '{')
  await utimes(file, modified, modified)
}

async function record(runId: string): Promise<void> {
  const text = JSON.stringify({
    format_version: 1,
    run_id: runId,
    policy: 'nightly',
    backup_id: '20261120T020000Z-aaaaaa',
    owner: OWNER,
    started_at: LONG_AGO.toISOString(),
    heartbeat_at: LONG_AGO.toISOString(),
    leftovers: [],
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
