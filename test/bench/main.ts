import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startMinio } from '../peers/servers/minio.ts'
import { peerBinary } from '../peers/servers/peer.ts'
import { bundle } from '../support/bundle.ts'
import { IMAGE_ENV } from '../support/image-env.ts'
import { benchAgent } from './agent-at-rest.ts'
import { benchLoad } from './agent-load.ts'
import { NODE_AS_SHIPPED } from './as-shipped.ts'
import { benchBackup } from './backup.ts'
import { benchConfigurationText } from './bench-configuration.ts'
import { benchConfiguration } from './configuration.ts'
import { benchFtp } from './ftp-location.ts'
import { residentMib } from './measure.ts'
import { startProcess } from './process.ts'
import { benchReader } from './reader.ts'
import { benchRestore } from './restore.ts'
import { benchS3 } from './s3-location.ts'

const PARTS = ['backup', 's3', 'configuration', 'restore', 'ftp', 'agent', 'load', 'reader'] as const
type Part = (typeof PARTS)[number]

/**
 * Everything that has a budget, against what people use otherwise; `--only backup,ftp` does a part. The source is the
 * wire double with prepared replies, in a process of its own, the same for all: a slower server would hide our own limit.
 */
const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    bytes: { type: 'string', default: String(1024 * 1024 * 1024) },
    rounds: { type: 'string', default: '3' },
    // The source so many times over: 10 GiB are 10 copies of 1 GiB, as the source is held in memory.
    copies: { type: 'string', default: '1' },
    only: { type: 'string', default: PARTS.join(',') },
  },
})
const only = new Set(values.only.split(','))
const unknown = [...only].filter((name) => !PARTS.some((part) => part === name))
if (unknown.length > 0) throw new Error(`--only ${unknown.join(',')}: there is ${PARTS.join(', ')}`)
const rounds = Number(values.rounds)
const root = new URL('../../', import.meta.url).pathname
const folder = await mkdtemp(join(tmpdir(), 'palette-backup-bench-'))
const bytes = Number(values.bytes)
const someBytes = Math.min(bytes, 512 * 1024 * 1024)
const sourceBytes = bytes * Number(values.copies)
console.log(`Preparing ${(sourceBytes / 1e6).toFixed(0)} MB of BSON ...`)
const app = await bundle(join(folder, 'app'))
await using source = await startProcess(
  [
    `${root}test/support/mongodb/main.ts`,
    ...['--seed', 'palette', '--seed-bytes', String(bytes), '--copies', values.copies],
  ],
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
const ours = `${NODE_AS_SHIPPED} ${app} backup --config ${configFile} --json`

const ratios: Record<string, number> = {}
const details: Record<string, unknown> = {}
const parts: Readonly<Record<Part, () => Promise<object>>> = {
  backup: async () => {
    const result = await benchBackup({
      ours,
      mongodump,
      rcat: `${rclone} rcat "${remote}`,
      env,
      bytes: sourceBytes,
      rounds,
    })
    details['usages'] = result.usages
    return result.ratios
  },
  s3: () => benchS3({ minio, folder, bytes: someBytes, rounds }),
  configuration: benchConfiguration,
  restore: () => benchRestore({ minio, rcloneRemote: remote, env, app, root, folder, rounds }),
  ftp: () => benchFtp({ folder, bytes: someBytes, rounds }),
  agent: async () => ({ agent_idle_rss_mib: Math.round(await idleAgent()), ...(await benchAgent(app)) }),
  load: () => benchLoad({ main: app, uri, rounds: 2 * rounds + 1 }),
  reader: async () => {
    const reader = await benchReader()
    console.table(reader.sizes)
    console.table(reader.foreground)
    details['reader'] = reader
    return {}
  },
}
for (const part of PARTS) if (only.has(part)) Object.assign(ratios, await parts[part]())
console.table(ratios)
if (values.out)
  await writeFile(values.out, `${JSON.stringify({ bytes: sourceBytes, ratios, ...details }, replaceOutput, 2)}\n`)
await rm(folder, { recursive: true, force: true })

/** The agent as it ships, with this configuration and nothing to do, after it has settled. */
async function idleAgent(): Promise<number> {
  const args = [app, 'agent', '--port', '0', '--config', configFile]
  const child = spawn(process.execPath, args, { env: { ...process.env, ...IMAGE_ENV, ...env }, stdio: 'ignore' })
  await sleep(20_000)
  const mib = residentMib(child.pid ?? 0)
  child.kill('SIGTERM')
  return mib
}

function replaceOutput(key: string, value: unknown): unknown {
  return key === 'stdout' ? undefined : value
}
