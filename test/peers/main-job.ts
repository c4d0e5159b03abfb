import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { AgentProcess, type CommandResult, runCommand } from '../support/agent-process.ts'
import { configurationText, s3Text } from '../support/configuration-text.ts'
import { type CollectionContents, contentsOf } from '../support/contents.ts'
import { paletteCollections } from '../support/mongodb/palette-data.ts'
import { loadCollections } from '../support/mongodb/palette-load.ts'
import { until } from '../support/until.ts'
import { type FerretDb, startFerretDb } from './servers/ferretdb.ts'
import type { FtpPeer } from './servers/ftp-peer.ts'
import { type Minio, startMinio } from './servers/minio.ts'
import { startVsftpd } from './servers/vsftpd.ts'

export const DATABASES = ['hubbledb', 'hubble_timeseriesdb', 'hubble_archivedb']

interface Peers {
  readonly source: FerretDb
  readonly minio: Minio
  readonly vsftpd: FtpPeer
  readonly folder: string
}

/** A Palette-like installation in FerretDB, MinIO and vsftpd (explicit TLS) as its locations, and the real agent. */
export class MainJob implements AsyncDisposable {
  readonly source: FerretDb
  readonly minio: Minio
  readonly vsftpd: FtpPeer
  readonly folder: string
  readonly configFile: string
  readonly env: Record<string, string>
  /** What the source held when the agent was started. */
  readonly original: readonly CollectionContents[]
  agent: AgentProcess

  private constructor(
    { source, minio, vsftpd, folder }: Peers,
    facts: Pick<MainJob, 'configFile' | 'env' | 'original' | 'agent'>,
  ) {
    this.source = source
    this.minio = minio
    this.vsftpd = vsftpd
    this.folder = folder
    this.configFile = facts.configFile
    this.env = facts.env
    this.original = facts.original
    this.agent = facts.agent
  }

  static async start(): Promise<MainJob> {
    const [source, minio, vsftpd] = await Promise.all([startFerretDb(), startMinio(), startVsftpd({ tls: 'explicit' })])
    const folder = await mkdtemp(join(tmpdir(), 'palette-backup-e2e-'))
    await seed(source.uri)
    const original = await contentsOf(source.uri, DATABASES)
    await writeFile(join(folder, 'ftp-password'), `${vsftpd.password}\n`)
    await writeFile(join(folder, 'ca.crt'), vsftpd.caCert)
    const configFile = join(folder, 'palette-backup.yaml')
    await writeFile(configFile, configuration(minio, vsftpd))
    const env = { MONGODB_URI: source.uri, S3_ACCESS: minio.accessKey, S3_SECRET: minio.secretKey }
    const agent = await AgentProcess.start({ configFile, env })
    return new MainJob({ source, minio, vsftpd, folder }, { configFile, env, original, agent })
  }

  /** Ends the agent and starts it again; gives the exit code of the first. */
  async restartAgent(): Promise<number | null> {
    const code = await this.agent.stop()
    this.agent = await AgentProcess.start(this)
    return code
  }

  command(args: readonly string[], input?: string): Promise<CommandResult> {
    return runCommand(this, args, input)
  }

  async list(): Promise<readonly { readonly backupId: string; readonly location: string }[]> {
    const listed = await this.command(['list', '--json'])
    if (listed.code !== 0) throw new Error(listed.stderr)
    return JSON.parse(listed.stdout).backups
  }

  /** Rewrites the file; resolves with how long the agent took to apply it, in milliseconds. */
  async edit(change: (text: string) => string): Promise<number> {
    const digest = await this.agent.configDigest()
    const text = await readFile(this.configFile, 'utf8')
    const changed = change(text)
    if (changed === text) throw new Error('the edit changes nothing')
    await writeFile(this.configFile, changed)
    const start = performance.now()
    await until('the edit to be applied', 30_000, async () => (await this.agent.configDigest()) !== digest, 20)
    return performance.now() - start
  }

  /** Asks the agent for a backup now; gives the id of its run. */
  async startRun(): Promise<string> {
    const reply = await fetch(`${this.agent.url}/backups?policy=nightly`, { method: 'POST' })
    if (reply.status !== 202) throw new Error(`POST /backups: ${reply.status} ${await reply.text()}`)
    const { runId } = (await reply.json()) as { runId: string }
    return runId
  }

  async runEnd(runId: string): Promise<Readonly<Record<string, unknown>>> {
    let ended: Readonly<Record<string, unknown>> | undefined
    await until(`the end of run ${runId}`, 180_000, async () => {
      const reply = await fetch(`${this.agent.url}/runs`)
      const { recent } = (await reply.json()) as { recent: Record<string, unknown>[] }
      ended = recent.find((one) => one['runId'] === runId && one['result'] !== undefined)
      return ended !== undefined
    })
    return ended ?? {}
  }

  /** Multipart uploads and temporary files that are under way or were left. */
  async uploadsInFlight(): Promise<string[]> {
    const temporary = (await filesBelow(this.vsftpd.root)).filter((file) => file.endsWith('.tmp'))
    return [...(await this.minio.incompleteUploads()), ...temporary]
  }

  /** Everything in the locations that belongs to no backup. */
  async leftovers(): Promise<string[]> {
    const ids = [...new Set((await this.list()).map(({ backupId }) => backupId))]
    const files = [...(await filesBelow(this.vsftpd.root)), ...(await this.minio.objects())]
    return files.filter((file) => file.includes('prod/') && !ids.some((id) => file.includes(id)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent.stop()
    await Promise.all([this.source.stop(), this.minio[Symbol.asyncDispose](), this.vsftpd.stop()])
    await rm(this.folder, { recursive: true, force: true })
  }
}

export function series(name: string, location: string): string {
  return `palette_backup_${name}{policy="nightly",location="${location}"}`
}

async function seed(uri: string): Promise<void> {
  const size = { collections: 52, documents: 340_000, bytes: 330_000_000, largestDocument: 8_000_000 }
  const client = new MongoClient(uri)
  try {
    await loadCollections(client, paletteCollections(size))
  } finally {
    await client.close()
  }
}

async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

function configuration({ bucket, url }: Minio, vsftpd: FtpPeer): string {
  const nas = `    nas:
      storage_provider: ftp
      ca_cert: { $file: ca.crt }
      ftp:
        server: 127.0.0.1:${vsftpd.port}
        directory: /palette
        username: ${vsftpd.username}
        password: { $file: ftp-password }
        tls: explicit
`
  return configurationText({
    clusterName: 'prod',
    uriEnv: 'MONGODB_URI',
    locations: [s3Text('offsite', { bucket, url, accessEnv: 'S3_ACCESS', secretEnv: 'S3_SECRET' }), nas],
    policy: 'nightly',
    policyLocations: ['offsite', 'nas'],
    attributes: ['schedule: "* * * * *"', 'retention_period: 400', 'keep_minimum: 3'],
  })
}
