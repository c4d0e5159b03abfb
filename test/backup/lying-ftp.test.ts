import { afterEach, describe, expect, it } from 'vitest'
import type { BackupOutcome } from '../../agent/backup/backup-options.ts'
import { runBackup } from '../../agent/backup/run-backup.ts'
import type { FtpLocationConfig } from '../../agent/config/config.ts'
import { systemClock } from '../../agent/core/clock.ts'
import type { Location } from '../../agent/locations/location.ts'
import { createRetry } from '../../agent/locations/retry.ts'
import { retrying } from '../../agent/locations/retrying.ts'
import type { Effect } from '../support/ftp/faults.ts'
import { openDouble, startDouble } from '../support/ftp/location.ts'
import type { FtpDouble, FtpOptions } from '../support/ftp/server.ts'
import { fakeSource } from './fake-source.ts'
import { policy } from './nightly-run.ts'

const retry = createRetry({ clock: systemClock, attempts: 3, baseMs: 5 })
const ALWAYS = 1000

let ftp: FtpDouble
let location: Location

afterEach(async () => {
  await location?.close()
  await ftp?.stop()
})

describe('a backup to an FTP server that lies', () => {
  it.each<[string, string, Effect]>([
    ['tells another size', 'SIZE', { kind: 'answer', code: 213, text: '5' }],
    ['confirms what it did not keep whole', 'STOR', { kind: 'truncate', bytes: 100 }],
    ['confirms it, and tells the size of the whole', 'STOR', { kind: 'truncate', bytes: 100, claim: true }],
    ['confirms it, and keeps nothing', 'STOR', { kind: 'truncate', bytes: 0, claim: true }],
    ['confirms a rename it did not do', 'RNTO', { kind: 'answer', code: 250, text: 'Renamed.' }],
    ['refuses every rename, as if something were there', 'RNTO', { kind: 'answer', code: 553, text: 'File exists.' }],
    ['gives back other bits', 'RETR', { kind: 'flip', at: 5000 }],
    ['gives back less, confirmed', 'RETR', { kind: 'truncate', bytes: 50 }],
  ])('never gets a manifest when it %s', async (_, command, effect) => {
    await start()
    ftp.fail({ command, times: ALWAYS, effect })
    const outcome = await backUp()
    expect(outcome).toMatchObject({ result: 'failed', stored: [] })
    expect(outcome.failure?.code).not.toBe('internal')
    expect(outcome.failure?.message).toMatch(/ (in|from) nas: /)
    expect(manifests()).toEqual([])
  })

  it.each<[string, string, number, Effect]>([
    ['keeps half of the artifact', 'STOR', 3, { kind: 'truncate', bytes: 100_000, claim: true }],
    ['changes a bit of the artifact on its way back', 'RETR', 1, { kind: 'flip', at: 3_000_000 }],
    ['changes a bit of the manifest on its way back', 'RETR', 2, { kind: 'flip', at: 20 }],
  ])('leaves nothing that looks like a backup when it once %s', async (_, command, nth, effect) => {
    await start()
    ftp.fail({ command, nth, effect })
    const outcome = await backUp()
    expect(outcome).toMatchObject({ result: 'failed', stored: [] })
    expect(['damaged', 'unreachable']).toContain(outcome.failure?.code)
    expect([...ftp.files.keys()]).toEqual([])
  })

  it('gets a whole backup though it renames over nothing that exists', async () => {
    await start({ renameReplaces: false })
    expect(await backUp()).toMatchObject({ result: 'success', stored: ['nas'] })
    expect(manifests()).toHaveLength(1)
  })

  it.each(['missing', 'twice'] as const)(
    'loses no backup it must keep when the last entry of its listings is %s',
    async (last) => {
      await start()
      for (let day = 1; day <= 5; day += 1) await backUp({ at: `2020-01-0${day}T02:00:00Z`, keepMinimum: 10 })
      expect(manifests()).toHaveLength(5)
      ftp.fail({ command: 'MLSD', times: ALWAYS, effect: { kind: 'lines', last } })
      // Without listings that can be believed nothing new is called a backup, and nothing old is touched.
      expect(await backUp()).toMatchObject({ result: 'failed', stored: [] })
      expect(manifests()).toHaveLength(5)
    },
  )
})

async function start(options: Partial<FtpOptions> = {}): Promise<void> {
  ftp = await startDouble(options)
  const changes: Partial<FtpLocationConfig> = { directory: '/backups' }
  location = retrying(openDouble(ftp, changes, 2000, { retry }), retry)
}

function manifests(): string[] {
  return [...ftp.files.keys()].filter((path) => /(manifest|partial)\.json$/.test(path))
}

async function backUp({ at, keepMinimum = 3 }: { at?: string; keepMinimum?: number } = {}): Promise<BackupOutcome> {
  return await runBackup({
    runId: 'run22222',
    clusterName: 'prod',
    policy: { ...POLICY, keepMinimum },
    sources: [fakeSource()],
    locations: [location],
    owner: { host: 'here', boot: 'b', pid: 1, started: '1' },
    isDead: () => false,
    toolVersion: '0.1.0',
    clock: at === undefined ? systemClock : { ...systemClock, now: () => new Date(at) },
    emit: () => undefined,
    signal: new AbortController().signal,
  })
}

const POLICY = { ...policy, backupLocations: ['nas'] }
