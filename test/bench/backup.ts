import { measureCommand, median, type Usage } from './measure.ts'

export interface BackupBenchOptions {
  /** Commands of a shell that find the source and the bucket in `env`. */
  readonly ours: string
  readonly mongodump: string
  /** `rclone rcat` with everything but the name of the object. */
  readonly rcat: string
  readonly env: Readonly<Record<string, string>>
  /** What the source holds. */
  readonly bytes: number
  readonly rounds: number
}

type Name = 'ours' | 'gzip' | 'zstd'

/**
 * Side by side in one run: our backup to MinIO, read-back included, against the two pipelines people build by hand.
 * Ratios of wall time, below 1 where ours is better; our peak in MiB.
 */
export async function benchBackup(options: BackupBenchOptions): Promise<{
  readonly ratios: Readonly<Record<string, number>>
  readonly usages: Readonly<Record<Name, readonly Usage[]>>
}> {
  const { mongodump, rcat, env, bytes, rounds } = options
  const dump = `${mongodump} --quiet --uri "$BENCH_URI" --archive`
  const commands: Readonly<Record<Name, string>> = {
    ours: options.ours,
    gzip: `${dump} --gzip | ${rcat}/gzip"`,
    zstd: `${dump} | zstd -q -1 -T2 | ${rcat}/zstd"`,
  }
  // The source prepares replies when they are first asked for, and mongodump asks for others than we do: each would pay
  // in its first round.
  for (const command of [`${dump} > /dev/null`, options.ours]) await measureCommand(command, env)
  const usages: Record<Name, Usage[]> = { ours: [], gzip: [], zstd: [] }
  for (let round = 0; round < rounds; round += 1) {
    for (const name of ['ours', 'gzip', 'zstd'] as const) {
      const usage = await measureCommand(commands[name], env)
      usages[name].push(usage)
      console.log(
        `${name.padEnd(5)} ${usage.wallSeconds.toFixed(2)} s wall, ${usage.cpuSeconds.toFixed(2)} s cpu, ${peaks(usage)}`,
      )
    }
  }
  const of = (name: Name, what: 'wallSeconds' | 'cpuSeconds') => median(usages[name].map((usage) => usage[what]))
  const row = (name: Name) => ({
    'wall s': round(of(name, 'wallSeconds')),
    'cpu s': round(of(name, 'cpuSeconds')),
    'MB/s': round(bytes / 1e6 / of(name, 'wallSeconds')),
    'peak MiB': peaks(usages[name].at(-1)),
  })
  console.table({ ours: row('ours'), gzip: row('gzip'), zstd: row('zstd') })
  const ratios = {
    backup_vs_gzip_pipeline: round(of('ours', 'wallSeconds') / of('gzip', 'wallSeconds')),
    backup_vs_zstd_pipeline: round(of('ours', 'wallSeconds') / of('zstd', 'wallSeconds')),
    run_peak_rss_mib: round(Math.max(...usages.ours.flatMap(({ peakMib }) => Object.values(peakMib)))),
  }
  return { ratios, usages }
}

function peaks(usage: Usage | undefined): string {
  return Object.entries(usage?.peakMib ?? {})
    .map(([name, mib]) => `${name} ${mib.toFixed(0)}`)
    .join(', ')
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
