import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startMinio } from '../peers/servers/minio.ts'
import { peerBinary } from '../peers/servers/peer.ts'
import { benchAgent } from './agent-at-rest.ts'
import { benchLoad } from './agent-load.ts'
import { benchConfigurationText } from './bench-configuration.ts'
import { benchConfiguration } from './configuration.ts'
import { benchFtp } from './ftp-location.ts'
import { measureCommand, median, residentMib, type Usage } from './measure.ts'
import { startProcess } from './process.ts'
import { benchReader } from './reader.ts'
import { benchRestore } from './restore.ts'
import { benchS3 } from './s3-location.ts'

/**
 * Side by side in one run: our backup to MinIO, read-back included, against the two pipelines people build by hand.
 * The source is the wire double with prepared replies, in a process of its own, the same for all: a slower server would
 * hide our own limit.
 */
const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    bytes: { type: 'string', default: String(1024 * 1024 * 1024) },
    rounds: { type: 'string', default: '3' },
  },
})
const root = new URL('../../', import.meta.url).pathname
const folder = await mkdtemp(join(tmpdir(), 'palette-backup-bench-'))
const bytes = Number(values.bytes)
console.log(`Preparing ${(bytes / 1e6).toFixed(0)} MB of BSON ...`)
await measureCommand(
  `cd ${root} && ${process.execPath} node_modules/typescript-native/bin/tsc -p tsconfig.build.json --outDir ${folder}/app/dist`,
  {},
)
await measureCommand(
  `cp ${root}package.json ${folder}/app/ && ln -s ${root}node_modules ${folder}/app/node_modules`,
  {},
)
await using source = await startProcess(
  [`${root}test/support/mongodb/main.ts`, '--seed', 'palette', '--seed-bytes', String(bytes)],
  /"uri":"([^"]+)"/,
)
await using minio = await startMinio()
const [mongodump, rclone] = [peerBinary('mongodump'), peerBinary('rclone')]
const uri = source.match
const remote = `:s3,provider=Minio,endpoint='${minio.url}',access_key_id=${minio.accessKey},secret_access_key=${minio.secretKey}:${minio.bucket}`
const env = {
  BENCH_URI: uri,
  BENCH_S3_URL: minio.url,
  BENCH_ACCESS: minio.accessKey,
  BENCH_SECRET: minio.secretKey,
  RCLONE_CONFIG: '/dev/null',
}
const configFile = join(folder, 'bench.yaml')
await writeFile(configFile, benchConfigurationText(minio.bucket))

const app = join(folder, 'app/dist/main.js')
const commands = {
  ours: `${process.execPath} --max-semi-space-size=1 ${app} backup --config ${configFile} --json`,
  gzip: `${mongodump} --quiet --uri "$BENCH_URI" --archive --gzip | ${rclone} rcat "${remote}/gzip"`,
  zstd: `${mongodump} --quiet --uri "$BENCH_URI" --archive | zstd -q -1 -T2 | ${rclone} rcat "${remote}/zstd"`,
}
// The source prepares its replies while it is read for the first time; whoever came first would pay for it.
await measureCommand(`${mongodump} --quiet --uri "$BENCH_URI" --archive > /dev/null`, env)
const usages: Record<keyof typeof commands, Usage[]> = { ours: [], gzip: [], zstd: [] }
for (let round = 0; round < Number(values.rounds); round += 1) {
  for (const name of ['ours', 'gzip', 'zstd'] as const) {
    const usage = await measureCommand(commands[name], env)
    usages[name].push(usage)
    console.log(
      `${name.padEnd(5)} ${usage.wallSeconds.toFixed(2)} s wall, ${usage.cpuSeconds.toFixed(2)} s cpu, ${peaks(usage)}`,
    )
  }
}
const s3 = await benchS3({ minio, folder, bytes: Math.min(bytes, 512 * 1024 * 1024), rounds: Number(values.rounds) })
const configuring = await benchConfiguration()
const restored = await benchRestore({
  ...{ minio, rcloneRemote: remote, env, app, root, folder, rounds: Number(values.rounds) },
})
const ftp = await benchFtp({ folder, bytes: Math.min(bytes, 512 * 1024 * 1024), rounds: Number(values.rounds) })
const idle = await idleAgent()
const agent = await benchAgent(app)
const load = await benchLoad({ main: app, uri, rounds: 2 * Number(values.rounds) + 1 })
const reader = await benchReader()
const wall = (name: keyof typeof commands) => median(usages[name].map(({ wallSeconds }) => wallSeconds))
const ratios = {
  backup_vs_gzip_pipeline: round(wall('ours') / wall('gzip')),
  backup_vs_zstd_pipeline: round(wall('ours') / wall('zstd')),
  run_peak_rss_mib: round(Math.max(...usages.ours.flatMap(({ peakMib }) => Object.values(peakMib)))),
  agent_idle_rss_mib: round(idle),
  ...agent,
  ...load,
  ...s3,
  ...configuring,
  ...restored,
  ...ftp,
}
console.table(
  Object.fromEntries(
    Object.entries(usages).map(([name, runs]) => [
      name,
      {
        'wall s': round(median(runs.map(({ wallSeconds }) => wallSeconds))),
        'cpu s': round(median(runs.map(({ cpuSeconds }) => cpuSeconds))),
        'MB/s': round(bytes / 1e6 / median(runs.map(({ wallSeconds }) => wallSeconds))),
        'peak MiB': peaks(runs.at(-1)),
      },
    ]),
  ),
)
console.table(ratios)
console.table(reader.sizes)
console.table(reader.foreground)
if (values.out) await writeFile(values.out, `${JSON.stringify({ bytes, ratios, usages, reader }, replaceOutput, 2)}\n`)
await rm(folder, { recursive: true, force: true })

/** The agent as it ships, with this configuration and nothing to do, after it has settled. */
async function idleAgent(): Promise<number> {
  const args = [app, 'agent', '--port', '0', '--config', configFile]
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: 'ignore' })
  await sleep(20_000)
  const mib = residentMib(child.pid ?? 0)
  child.kill('SIGTERM')
  return mib
}

function peaks(usage: Usage | undefined): string {
  return Object.entries(usage?.peakMib ?? {})
    .map(([name, mib]) => `${name} ${mib.toFixed(0)}`)
    .join(', ')
}

function replaceOutput(key: string, value: unknown): unknown {
  return key === 'stdout' ? undefined : value
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
