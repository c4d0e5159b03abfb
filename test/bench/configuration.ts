import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfigFile } from '../../agent/config/load.ts'
import { Reloader } from '../../agent/config/reloader.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { median } from './measure.ts'

const POLICIES = 100
const ROUNDS = 20
const ENV = { BENCH_URI: 'mongodb://127.0.0.1/?replicaSet=rs0' }

/**
 * A file with 100 policies: the time to load it, and from the moment it is saved until a watching reloader has applied
 * it, in which 200 ms are waited for a writer to be done. Milliseconds, medians.
 */
export async function benchConfiguration(): Promise<{ load_100_policies_ms: number; reload_100_policies_ms: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'palette-backup-bench-config-'))
  const file = join(folder, 'palette-backup.yaml')
  const load = () => readConfigFile(file, ENV)
  await writeFile(file, configuration(1))
  const { config: initial, files, diagnostics } = await load()
  if (!initial) throw new Error(JSON.stringify(diagnostics))
  const loads: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const startedMs = performance.now()
    await load()
    loads.push(performance.now() - startedMs)
  }
  let applied = Promise.withResolvers<void>()
  const reloader = new Reloader({
    clock: systemClock,
    initial,
    files,
    load,
    check: async () => [],
    apply: () => applied.resolve(),
    onReport: () => undefined,
  })
  await reloader.start()
  const reloads: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    applied = Promise.withResolvers()
    await writeFile(file, configuration(2 + round))
    const savedMs = performance.now()
    await applied.promise
    reloads.push(performance.now() - savedMs)
  }
  await reloader.stop()
  await rm(folder, { recursive: true })
  return { load_100_policies_ms: Math.round(median(loads)), reload_100_policies_ms: Math.round(median(reloads)) }
}

function configuration(keep: number): string {
  const policies = Array.from({ length: POLICIES }, (_, index) => {
    const when =
      index % 2 === 0 ? `interval: 1, hours_of_day: [${index % 24}]` : `schedule: "${index % 60} ${index % 24} * * 1-5"`
    return `    policy${index}: { backup_locations: [nas], ${when}, retention_period: 30, keep_minimum: ${keep}, allow_cleartext: true }\n`
  })
  return `version: 1
provider: { palette: { cluster_name: bench, mongodb: { uri: { $env: BENCH_URI } } } }
resource:
  backup_storage_location:
    nas: { storage_provider: filesystem, filesystem: { path: /backups } }
  backup_policy:
${policies.join('')}`
}
