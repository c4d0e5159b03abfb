import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createBackupId } from '../../agent/backup/backup-id.ts'
import { HOUR_MS } from '../../agent/core/units.ts'
import type { Minio } from '../peers/servers/minio.ts'
import { peerBinary } from '../peers/servers/peer.ts'
import { measureCommand, median, type Usage } from './measure.ts'
import { bundleWorker } from './worker.ts'

const BACKUPS = 10_000

export interface S3BenchOptions {
  readonly minio: Minio
  /** A folder for what is prepared; removed by who gave it. */
  readonly folder: string
  readonly bytes: number
  readonly rounds: number
}

/** Ratios of wall time and of peak memory against rclone, below 1 where ours is better; the catalog in seconds. */
export interface S3BenchResult {
  readonly s3_put_vs_rclone_rcat: number
  readonly s3_get_vs_rclone_cat: number
  readonly s3_put_memory_vs_rclone: number
  readonly s3_get_memory_vs_rclone: number
  readonly s3_catalog_seconds: number
}

/** The S3 location by itself, against rclone with the same server, the same bytes and one process each. */
export async function benchS3({ minio, folder, bytes, rounds }: S3BenchOptions): Promise<S3BenchResult> {
  const file = join(folder, 'random')
  await measureCommand(`head -c ${bytes} /dev/urandom > ${file}`, {})
  await storeBackups(minio, join(folder, 'backups'))
  const env = {
    BENCH_S3_URL: minio.url,
    BENCH_BUCKET: minio.bucket,
    BENCH_ACCESS: minio.accessKey,
    BENCH_SECRET: minio.secretKey,
    RCLONE_CONFIG: '/dev/null',
  }
  const worker = await bundleWorker('s3-worker', folder)
  const rclone = peerBinary('rclone')
  const commands = {
    put: `${worker} put ${file}`,
    rcat: `${rclone} rcat "${minio.rcloneRemote}/rclone" < ${file}`,
    get: `${worker} get`,
    // Both prove what they read: into /dev/null alone the kernel would move the bytes, and nobody see them.
    cat: `${rclone} cat "${minio.rcloneRemote}/rclone" | sha256sum`,
    catalog: `${worker} catalog`,
  }
  const expected: Partial<Record<string, number>> = { put: bytes, get: bytes, catalog: BACKUPS }
  const usages: Record<keyof typeof commands, Usage[]> = { put: [], rcat: [], get: [], cat: [], catalog: [] }
  for (let round = 0; round < rounds; round += 1) {
    for (const name of ['put', 'rcat', 'get', 'cat', 'catalog'] as const) {
      const usage = await measureCommand(commands[name], env)
      if (expected[name] !== undefined && Number(usage.stdout) !== expected[name]) {
        throw new Error(`${name} gave ${usage.stdout} instead of ${expected[name]}`)
      }
      usages[name].push(usage)
      console.log(
        `${name.padEnd(7)} ${usage.wallSeconds.toFixed(2)} s wall, ${usage.cpuSeconds.toFixed(2)} s cpu, ${peakOf(usage).toFixed(0)} MiB`,
      )
    }
  }
  await rm(file)
  const wall = (name: keyof typeof commands): number => median(usages[name].map(({ wallSeconds }) => wallSeconds))
  const memory = (name: keyof typeof commands): number => Math.max(...usages[name].map(peakOf))
  return {
    s3_put_vs_rclone_rcat: round(wall('put') / wall('rcat')),
    s3_get_vs_rclone_cat: round(wall('get') / wall('cat')),
    s3_put_memory_vs_rclone: round(memory('put') / memory('rcat')),
    s3_get_memory_vs_rclone: round(memory('get') / memory('cat')),
    s3_catalog_seconds: round(wall('catalog')),
  }
}

/** A manifest and an artifact for each hour of more than a year. */
async function storeBackups(minio: Minio, folder: string): Promise<void> {
  const policy = join(folder, 'prod', 'nightly')
  await mkdir(policy, { recursive: true })
  const firstMs = Date.UTC(2025, 0, 1)
  for (let index = 0; index < BACKUPS; index += 1) {
    await writeFile(join(policy, `${createBackupId(new Date(firstMs + index * HOUR_MS))}.manifest.json`), '{}')
  }
  await minio.mc('cp', '--quiet', '--recursive', `${folder}/`, `peer/${minio.bucket}/`)
  await rm(folder, { recursive: true })
}

function peakOf({ peakMib }: Usage): number {
  return Math.max(...Object.values(peakMib))
}

function round(value: number): number {
  return Number(value.toFixed(2))
}
