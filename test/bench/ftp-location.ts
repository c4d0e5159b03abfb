import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createBackupId } from '../../agent/backup/backup-id.ts'
import { HOUR_MS } from '../../agent/core/units.ts'
import type { FtpPeer } from '../peers/servers/ftp-peer.ts'
import { startVsftpd } from '../peers/servers/vsftpd.ts'
import { measureCommand, median, type Usage } from './measure.ts'
import { bundleWorker } from './worker.ts'

const BACKUPS = 10_000

export interface FtpBenchOptions {
  /** A folder for what is prepared; removed by who gave it. */
  readonly folder: string
  readonly bytes: number
  readonly rounds: number
}

/**
 * Ratios of time against curl, below 1 where ours is better: of the transfer, from the connection to the answer of the
 * server that has closed the file, and of the whole process, which starts once for a run. Our memory in MiB; the catalog
 * in seconds.
 */
export interface FtpBenchResult {
  readonly ftp_put_vs_curl: number
  readonly ftps_put_vs_curl: number
  readonly ftp_put_process_vs_curl: number
  readonly ftp_put_peak_mib: number
  readonly ftp_catalog_seconds: number
}

/** The FTP location by itself, against `curl -T` with the same server, the same bytes and one process each. */
export async function benchFtp({ folder, bytes, rounds }: FtpBenchOptions): Promise<FtpBenchResult> {
  const file = join(folder, 'random')
  await measureCommand(`head -c ${bytes} /dev/urandom > ${file}`, {})
  const worker = await bundleWorker('ftp-worker', folder)
  const [plain, secured] = await benchBoth({ folder, file, bytes, rounds, worker })
  await rm(file)
  const wall = (usages: readonly Usage[]): number => median(usages.map(({ wallSeconds }) => wallSeconds))
  const moving = (usages: readonly Usage[]): number => median(usages.map(({ stdout }) => transferOf(stdout).seconds))
  return {
    ftp_put_vs_curl: round(moving(plain.put) / moving(plain.curl)),
    ftps_put_vs_curl: round(moving(secured.put) / moving(secured.curl)),
    ftp_put_process_vs_curl: round(wall(plain.put) / wall(plain.curl)),
    ftp_put_peak_mib: round(Math.max(...[...plain.put, ...secured.put].map(peakOf))),
    ftp_catalog_seconds: round(wall(plain.catalog)),
  }
}

type Measured = Readonly<Record<'put' | 'curl' | 'catalog', readonly Usage[]>>
type Inputs = FtpBenchOptions & { readonly file: string; readonly worker: string }

async function benchBoth(inputs: Inputs): Promise<readonly [Measured, Measured]> {
  await using plain = await startVsftpd({ tls: 'none' })
  await using secured = await startVsftpd({ tls: 'explicit' })
  await storeBackups(plain.root)
  await storeBackups(secured.root)
  return [await benchServer(plain, inputs), await benchServer(secured, inputs)]
}

async function benchServer(ftp: FtpPeer, { folder, file, bytes, rounds, worker }: Inputs): Promise<Measured> {
  const caFile = join(folder, 'ftp-ca.crt')
  await writeFile(caFile, ftp.caCert)
  const env = {
    BENCH_PORT: String(ftp.port),
    BENCH_USERNAME: ftp.username,
    BENCH_PASSWORD: ftp.password,
    ...(ftp.tls === 'none' ? {} : { BENCH_CA_FILE: caFile }),
  }
  const tls = ftp.tls === 'none' ? '' : `--ssl-reqd --cacert ${caFile}`
  const commands = {
    put: `${worker} put ${file}`,
    // Its last question makes it wait, as we do, until the server has closed the file: vsftpd confirms the transfer before.
    curl: `curl -sS ${tls} -Q '-SIZE curl' -w '%{size_upload} %{time_total}' --user "$BENCH_USERNAME:$BENCH_PASSWORD" -T ${file} ftp://127.0.0.1:${ftp.port}/curl`,
    catalog: `${worker} catalog`,
  }
  const expected = { put: bytes, curl: bytes, catalog: BACKUPS }
  const usages: Record<keyof typeof commands, Usage[]> = { put: [], curl: [], catalog: [] }
  for (let turn = 0; turn < rounds; turn += 1) {
    for (const name of ['put', 'curl', 'catalog'] as const) {
      // To replace a file costs the server the time to remove the old one, before or behind the transfer.
      for (const file of ['ours', 'curl']) await rm(join(ftp.root, file), { force: true })
      const usage = await measureCommand(commands[name], env)
      if (transferOf(usage.stdout).count !== expected[name]) {
        throw new Error(`${name} gave ${usage.stdout} instead of ${expected[name]}`)
      }
      usages[name].push(usage)
      console.log(
        `ftp, TLS ${ftp.tls}, ${name.padEnd(7)} ${usage.wallSeconds.toFixed(2)} s wall, ` +
          `${usage.cpuSeconds.toFixed(2)} s cpu, ${peakOf(usage).toFixed(0)} MiB`,
      )
    }
  }
  return usages
}

/** A manifest and a folder with an artifact for each hour of more than a year. */
async function storeBackups(root: string): Promise<void> {
  const policy = join(root, 'prod', 'nightly')
  const firstMs = Date.UTC(2025, 0, 1)
  for (let index = 0; index < BACKUPS; index += 1) {
    const id = createBackupId(new Date(firstMs + index * HOUR_MS))
    await mkdir(join(policy, id), { recursive: true })
    await writeFile(join(policy, id, 'mongodb.archive.zst'), 'x')
    await writeFile(join(policy, `${id}.manifest.json`), '{}')
  }
}

/** What was moved or found, and where it is told the seconds it took. */
function transferOf(stdout: string): { readonly count: number; readonly seconds: number } {
  const [count = Number.NaN, seconds = Number.NaN] = stdout.trim().split(' ').map(Number)
  return { count, seconds }
}

function peakOf({ peakMib }: Usage): number {
  return Math.max(...Object.values(peakMib))
}

function round(value: number): number {
  return Number(value.toFixed(2))
}
