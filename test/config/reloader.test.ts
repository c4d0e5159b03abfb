import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Config } from '../../agent/config/config.ts'
import { readConfigFile } from '../../agent/config/load.ts'
import { Reloader, type ReloadOutcome } from '../../agent/config/reloader.ts'
import { type SleepOptions, systemClock } from '../../agent/core/clock.ts'
import type { Diagnostic } from '../../agent/core/diagnostics.ts'
import { ConfigVolume } from '../support/config-volume.ts'
import { until as untilWithin } from '../support/until.ts'

/** From when a change can be seen until it is applied or refused, this much is waited for writers, and no more. */
const MOST_WAITED_MS = 1000

/** What the reloader waited for since the last outcome; what it computes is measured by the bench. */
let waitedMs = 0

async function until(holds: () => boolean): Promise<void> {
  await untilWithin(String(holds), 15_000, async () => holds(), 10)
  expect(waitedMs).toBeLessThanOrEqual(MOST_WAITED_MS)
  waitedMs = 0
}

let folder: string
let reloader: Reloader | undefined
let reports: ReloadOutcome[]
let applied: Config[]
/** What the check before an apply waits for and finds. */
let check: (next: Config, changed: readonly string[]) => Promise<readonly Diagnostic[]>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reloader-'))
  reports = []
  applied = []
  waitedMs = 0
  check = async () => []
})

afterEach(async () => {
  await reloader?.stop()
  await rm(folder, { recursive: true })
})

function text(keep: number, uri = '{ $env: MONGODB_URI }'): string {
  return `version: 1
provider: { palette: { cluster_name: lab, mongodb: { uri: ${uri} } } }
resource:
  backup_storage_location:
    nas: { storage_provider: filesystem, filesystem: { path: /backups } }
  backup_policy:
    nightly: { backup_locations: [nas], schedule: "0 2 * * *", retention_period: 14, keep_minimum: ${keep}, allow_cleartext: true }
`
}

/** Without `pollMs`, nothing but an event tells of a change for as long as a test takes. */
async function start(file: string, pollMs = 600_000): Promise<Reloader> {
  const load = () => readConfigFile(file, { MONGODB_URI: 'mongodb://h' })
  const { config: initial, files, diagnostics } = await load()
  if (!initial) throw new Error(JSON.stringify(diagnostics))
  reloader = new Reloader({
    clock: { ...systemClock, sleep: (ms, how) => sleepCounted(ms, how, pollMs) },
    initial,
    files,
    load,
    check: (next, changed) => check(next, changed),
    apply: (next) => void applied.push(next),
    onReport: (report) => void reports.push(report),
    pollMs,
  })
  await reloader.start()
  return reloader
}

function sleepCounted(ms: number, how: SleepOptions | undefined, pollMs: number): Promise<void> {
  if (ms !== pollMs) waitedMs += ms
  return systemClock.sleep(ms, how)
}

const keepInForce = () => applied.at(-1)?.policies[0]?.keepMinimum
const outcomes = () => reports.map(({ outcome }) => outcome)
const untilKept = (keep: number) => until(() => keepInForce() === keep)
const untilRefused = () => until(() => outcomes().at(-1) === 'refused')

describe('a change of the file is taken up', () => {
  it('that is written over the old one', async () => {
    const file = join(folder, 'palette-backup.yaml')
    await writeFile(file, text(3))
    await start(file)
    for (const keep of [4, 5]) {
      await writeFile(file, text(keep))
      await untilKept(keep)
    }
    expect(outcomes()).toEqual(['applied', 'applied'])
  })

  it('that an editor writes beside it and renames', async () => {
    const file = join(folder, 'palette-backup.yaml')
    await writeFile(file, text(3))
    await start(file)
    for (const keep of [4, 5]) {
      await writeFile(`${file}~`, text(keep))
      await rename(file, `${file}.bak`)
      await rename(`${file}~`, file)
      await untilKept(keep)
    }
    expect(applied.map(({ policies }) => policies[0]?.keepMinimum)).toEqual([4, 5])
  })

  it('that is written in two halves, of which the first is never in force', async () => {
    const file = join(folder, 'palette-backup.yaml')
    await writeFile(file, text(3))
    await start(file)
    const half = text(4).indexOf('backup_policy')
    await writeFile(file, text(4).slice(0, half))
    await untilRefused()
    await writeFile(file, text(4))
    await untilKept(4)
    expect(outcomes()).toEqual(['refused', 'applied'])
  })

  it('that a writer goes on making: it is not waited for without end', async () => {
    const file = join(folder, 'palette-backup.yaml')
    await writeFile(file, text(3))
    await start(file)
    let keep = 4
    let written: Promise<unknown> = Promise.resolve()
    const writing = setInterval(() => {
      keep += 1
      written = writeFile(file, text(keep))
    }, 30)
    await until(() => reports.length > 0).finally(() => clearInterval(writing))
    await written
    await untilKept(keep)
  })

  it('that was deleted and put back', async () => {
    const file = join(folder, 'palette-backup.yaml')
    await writeFile(file, text(3))
    await start(file)
    await unlink(file)
    await untilRefused()
    expect(reports.at(-1)?.diagnostics).toMatchObject([{ summary: 'Configuration cannot be read' }])
    await writeFile(file, text(4))
    await untilKept(4)
    await unlink(file)
    await untilRefused()
    await writeFile(file, text(4))
    await until(() => outcomes().at(-1) === 'unchanged')
    expect(outcomes()).toEqual(['refused', 'applied', 'refused', 'unchanged'])
  })

  it('that a ConfigMap volume swaps', async () => {
    const volume = await ConfigVolume.create(join(folder, 'etc'), { 'palette-backup.yaml': text(3) })
    await start(volume.path('palette-backup.yaml'))
    for (const keep of [4, 5, 6]) {
      await volume.update({ 'palette-backup.yaml': text(keep) })
      await untilKept(keep)
    }
    expect(outcomes()).toEqual(['applied', 'applied', 'applied'])
  })

  it('that no event tells of: the content is compared', async () => {
    // Only the folder of the link is watched, not the one it leads to.
    await mkdir(join(folder, 'elsewhere'))
    await writeFile(join(folder, 'elsewhere/real.yaml'), text(3))
    await mkdir(join(folder, 'etc'))
    await symlink('../elsewhere/real.yaml', join(folder, 'etc/palette-backup.yaml'))
    await start(join(folder, 'etc/palette-backup.yaml'), 50)
    await writeFile(join(folder, 'elsewhere/real.yaml'), text(4))
    await untilKept(4)
  })
})

describe('a change of a file that the configuration names', () => {
  it('is taken up when a Secret volume swaps', async () => {
    const secrets = await ConfigVolume.create(join(folder, 'secrets'), { uri: 'mongodb://first\n' })
    const file = join(folder, 'palette-backup.yaml')
    await writeFile(file, text(3, '{ $file: secrets/uri }'))
    await start(file)
    for (const host of ['second', 'third']) {
      await secrets.update({ uri: `mongodb://${host}\n` })
      await until(() => applied.at(-1)?.palette.mongodb?.uri.reveal() === `mongodb://${host}`)
    }
    expect(outcomes()).toEqual(['applied', 'applied'])
  })

  it('is taken up when the file only comes to be, in a folder that was not there', async () => {
    const file = join(folder, 'palette-backup.yaml')
    await writeFile(file, text(3))
    await start(file, 50)
    await writeFile(file, text(4, '{ $file: later/uri }'))
    await untilRefused()
    await mkdir(join(folder, 'later'))
    await writeFile(join(folder, 'later/uri'), 'mongodb://late')
    await untilKept(4)
  })

  it('is told once, though the configuration is broken at the same time', async () => {
    const file = join(folder, 'palette-backup.yaml')
    await writeFile(join(folder, 'uri'), 'mongodb://first')
    await writeFile(file, text(3, '{ $file: uri }'))
    await start(file, 50)
    await writeFile(file, 'version: [')
    await untilRefused()
    await writeFile(join(folder, 'uri'), 'mongodb://second')
    await until(() => reports.length === 2)
    await writeFile(file, text(4, '{ $file: uri }'))
    await untilKept(4)
    expect(outcomes()).toEqual(['refused', 'refused', 'applied'])
    expect(applied.at(-1)?.palette.mongodb?.uri.reveal()).toBe('mongodb://second')
  })
})

describe('every door leads to one path', () => {
  it('a reload that was asked for is not made again for the event of the same change', async () => {
    const file = join(folder, 'palette-backup.yaml')
    await writeFile(file, text(3))
    const { reload } = bound(await start(file, 50))
    await writeFile(file, 'version: [')
    expect((await reload()).outcome).toBe('refused')
    await writeFile(file, text(4))
    expect((await reload()).outcome).toBe('applied')
    await writeFile(file, text(5))
    await untilKept(5)
    expect(outcomes()).toEqual(['refused', 'applied', 'applied'])
  })

  it('two never overlap, and each is answered with its own outcome', async () => {
    const file = join(folder, 'palette-backup.yaml')
    await writeFile(file, text(3))
    const { reload } = bound(await start(file))
    let under = 0
    const release = Promise.withResolvers<void>()
    check = async () => {
      under += 1
      expect(under).toBe(1)
      await release.promise
      under -= 1
      return []
    }
    await writeFile(file, text(4))
    const first = reload()
    await until(() => under === 1)
    await writeFile(file, text(5))
    const second = reload()
    const third = reload()
    release.resolve()
    expect((await first).outcome).toBe('applied')
    expect((await second).outcome).toBe('applied')
    expect((await third).outcome).toBe('unchanged')
    expect(applied.map(({ policies }) => policies[0]?.keepMinimum)).toEqual([4, 5])
  })

  it('a location that cannot be used refuses the whole file, and the next good one is taken', async () => {
    const file = join(folder, 'palette-backup.yaml')
    await writeFile(file, text(3))
    const { reload } = bound(await start(file))
    const asked: (readonly string[])[] = []
    check = async (_, changed) => {
      asked.push(changed)
      return [{ severity: 'error', summary: 'Backup storage location cannot be used', detail: 'No.' }]
    }
    await writeFile(file, text(4).replace('/backups', '/elsewhere'))
    expect(await reload()).toMatchObject({ outcome: 'refused', diagnostics: [{ detail: 'No.' }] })
    expect(applied).toEqual([])
    check = async () => []
    await writeFile(file, text(5))
    expect((await reload()).outcome).toBe('applied')
    expect(asked).toEqual([['nas']])
  })

  it('stops in the middle of a reload without applying it', async () => {
    const file = join(folder, 'palette-backup.yaml')
    await writeFile(file, text(3))
    const running = await start(file)
    const release = Promise.withResolvers<void>()
    let under = false
    check = async () => {
      under = true
      await release.promise
      return []
    }
    await writeFile(file, text(4))
    const asked = running.reload()
    await until(() => under)
    const stopped = running.stop()
    release.resolve()
    await stopped
    expect((await asked).outcome).toBe('refused')
    expect(applied).toEqual([])
  })
})

function bound(running: Reloader): { reload: () => Promise<ReloadOutcome> } {
  return { reload: () => running.reload() }
}
