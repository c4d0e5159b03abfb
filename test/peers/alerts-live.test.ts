import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AgentProcess, runCommand } from '../support/agent-process.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'
import { until } from '../support/until.ts'
import type { DamagingProxy } from './servers/damaging-proxy.ts'
import { startDamagingProxy } from './servers/damaging-proxy.ts'
import type { FerretDb } from './servers/ferretdb.ts'
import { startFerretDb } from './servers/ferretdb.ts'
import { freePort } from './servers/free-port.ts'
import type { Minio } from './servers/minio.ts'
import { startMinio } from './servers/minio.ts'
import { peerBinary, peersMissing } from './servers/peer.ts'
import type { Prometheus } from './servers/prometheus.ts'
import { PROMETHEUS_PEERS, startPrometheus } from './servers/prometheus.ts'

const RULES = fileURLToPath(new URL('../../dashboards/rules/', import.meta.url))
const PEERS = [...PROMETHEUS_PEERS, 'minio', 'ferretdb', 'libfaketime.so.1']

/** The rules as they are, but for how long things take: nobody can wait a day for each. */
function hurried(): string[] {
  return readdirSync(RULES).map((file) =>
    readFileSync(join(RULES, file), 'utf8')
      .replace(/for: \w+/, 'for: 0s')
      .replace('1.25 *', '0 *')
      .replace('+ 3600', '+ 15')
      .replaceAll(/(increase\([^[]*)\[1d\]/g, '$1[15s]'),
  )
}

describe.skipIf(peersMissing(...PEERS))('alerts, by causing what they are for', () => {
  let folder: string
  let ferretdb: FerretDb
  let minio: Minio
  let proxy: DamagingProxy
  let prometheus: Prometheus
  let agent: AgentProcess
  let port: number
  let configFile: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'palette-backup-alerts-'))
    ;[ferretdb, minio, port] = await Promise.all([startFerretDb(), startMinio(), freePort()])
    proxy = await startDamagingProxy(minio.url)
    const client = new MongoClient(ferretdb.uri)
    await client.db('hubbledb').collection('projects').insertOne({ name: 'one' })
    await client.close()
    await mkdir(join(folder, 'disk'))
    configFile = join(folder, 'palette-backup.yaml')
    await writeFile(configFile, configuration())
    await writeFile(join(folder, 'clock'), '-1h')
    prometheus = await startPrometheus(`127.0.0.1:${port}`, hurried())
  })

  afterAll(async () => {
    await agent?.stop()
    await prometheus?.[Symbol.asyncDispose]()
    await ferretdb.stop()
    await proxy[Symbol.asyncDispose]()
    await minio[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  it('agent absent, when there is none', async () => {
    await prometheus.alert('firing', 'PaletteBackupAgentAbsent')
    await start()
    await prometheus.alert('resolved', 'PaletteBackupAgentAbsent')
  })

  it('scheduler stuck, when its clock is an hour behind', async () => {
    await prometheus.alert('firing', 'PaletteBackupSchedulerStuck')
    await writeFile(join(folder, 'clock'), '+0')
    await prometheus.alert('resolved', 'PaletteBackupSchedulerStuck')
  })

  it('never succeeded, until there is a backup; stale, when it is old', async () => {
    for (const location of ['offsite', 'disk']) {
      await prometheus.alert('firing', 'PaletteBackupNeverSucceeded', { policy: 'nightly', location })
    }
    expect(await backup('nightly')).toBe('success')
    for (const location of ['offsite', 'disk']) {
      await prometheus.alert('resolved', 'PaletteBackupNeverSucceeded', { policy: 'nightly', location })
      await prometheus.alert('firing', 'PaletteBackupStale', { policy: 'nightly', location })
    }
    expect(await backup('nightly')).toBe('success')
    await prometheus.alert('resolved', 'PaletteBackupStale', { policy: 'nightly', location: 'offsite' })
  })

  it('verification failed, when a location gives back something else than it was given', async () => {
    proxy.damaging = true
    expect(await backup('nightly')).toBe('partial')
    proxy.damaging = false
    await prometheus.alert('firing', 'PaletteBackupVerificationFailed', { policy: 'nightly' })
    await prometheus.alert('resolved', 'PaletteBackupVerificationFailed', { policy: 'nightly' })
    expect(await backup('nightly')).toBe('success')
    await prometheus.alert('resolved', 'PaletteBackupPartial', { policy: 'nightly', location: 'offsite' })
  })

  it('partial and location down, when one of two locations is gone; run failed, when both are', async () => {
    await minio.stop()
    expect(await backup('nightly')).toBe('partial')
    await prometheus.alert('firing', 'PaletteBackupPartial', { policy: 'nightly', location: 'offsite' })
    await prometheus.alert('firing', 'PaletteBackupLocationDown', { location: 'offsite' })
    await rename(join(folder, 'disk'), join(folder, 'gone'))
    expect(await backup('nightly')).toBe('failed')
    await prometheus.alert('firing', 'PaletteBackupRunFailed', { policy: 'nightly' })
    await prometheus.alert('resolved', 'PaletteBackupPartial', { policy: 'nightly', location: 'offsite' })
    await rename(join(folder, 'gone'), join(folder, 'disk'))
    await minio.restart()
    expect(await backup('nightly')).toBe('success')
    await prometheus.alert('resolved', 'PaletteBackupRunFailed', { policy: 'nightly' })
    await prometheus.alert('resolved', 'PaletteBackupLocationDown', { location: 'offsite' })
  })

  it('certificate expiring, until it is replaced', async () => {
    await writeFile(join(folder, 'ca.crt'), selfSignedCertificate().cert)
    await writeFile(configFile, configuration('ca_cert: { $file: ca.crt }'))
    const certificate = 'resource.backup_storage_location.offsite.ca_cert'
    await prometheus.alert('firing', 'PaletteBackupCertificateExpiring', { certificate })
    await writeFile(configFile, configuration())
    await prometheus.alert('resolved', 'PaletteBackupCertificateExpiring', { certificate })
  })

  it('reload refused, while the file has a mistake', async () => {
    await writeFile(configFile, configuration().replace('schedule', 'shedule'))
    await prometheus.alert('firing', 'PaletteBackupReloadRefused')
    await writeFile(configFile, configuration())
    await prometheus.alert('resolved', 'PaletteBackupReloadRefused')
  })

  it('retention failing, while it would delete so much at once that it deletes nothing', async () => {
    for (const daysAgo of [124, 123, 122, 121, 120]) {
      const env = { ...environment(), FAKETIME: `-${daysAgo}d`, FAKETIME_TIMESTAMP_FILE: '' }
      const old = await runCommand({ configFile, env }, ['backup', 'archive'])
      expect(old.code, old.stderr).toBe(0)
    }
    expect(await backup('archive')).toBe('success')
    await prometheus.alert('firing', 'PaletteBackupRetentionFailing', { policy: 'archive', location: 'disk' })
    const digest = await agent.configDigest()
    await writeFile(configFile, configuration().replaceAll('retention_period: 40 ', 'retention_period: 300 '))
    await until('the longer retention', 20_000, async () => (await agent.configDigest()) !== digest)
    expect(await backup('archive')).toBe('success')
    await prometheus.alert('resolved', 'PaletteBackupRetentionFailing', { policy: 'archive', location: 'disk' })
  })

  it('agent absent, when it was killed; what it forgot by that is no alert', async () => {
    process.kill(agent.pid, 'SIGKILL')
    await prometheus.alert('firing', 'PaletteBackupAgentAbsent', { job: 'palette-backup' })
    await start()
    await prometheus.alert('resolved', 'PaletteBackupAgentAbsent', { job: 'palette-backup' })
    expect(await backup('nightly')).toBe('success')
  })

  async function start(): Promise<void> {
    agent = await AgentProcess.start({ configFile, env: environment() }, ['--port', String(port)])
  }

  function environment(): Record<string, string> {
    return {
      MONGODB_URI: ferretdb.uri,
      S3_ACCESS: minio.accessKey,
      S3_SECRET: minio.secretKey,
      LD_PRELOAD: peerBinary('libfaketime.so.1'),
      FAKETIME_TIMESTAMP_FILE: join(folder, 'clock'),
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
  }

  /** A backup by the agent; how it ended. */
  async function backup(policy: string): Promise<unknown> {
    const { runId } = (await (await fetch(`${agent.url}/backups?policy=${policy}`, { method: 'POST' })).json()) as {
      runId: string
    }
    let result: unknown
    await until(`the end of run ${runId}`, 60_000, async () => {
      const { recent } = (await (await fetch(`${agent.url}/runs`)).json()) as { recent: Record<string, unknown>[] }
      result = recent.find((one) => one['runId'] === runId)?.['result']
      return result !== undefined
    })
    return result
  }

  function configuration(offsite = ''): string {
    return `version: 1
provider: { palette: { cluster_name: prod, mongodb: { uri: { $env: MONGODB_URI } } } }
resource:
  backup_storage_location:
    offsite:
      storage_provider: s3
      bucket_name: ${minio.bucket}
      region: us-east-1
      ${offsite}
      s3:
        credential_type: secret
        access_key: { $env: S3_ACCESS }
        secret_key: { $env: S3_SECRET }
        s3_url: ${proxy.url}
    disk: { storage_provider: filesystem, filesystem: { path: ${join(folder, 'disk')} } }
  backup_policy:
    nightly:
      { backup_locations: [offsite, disk], schedule: "0 0 1 1 *", retention_period: 400, include_databases: [hubbledb], allow_cleartext: true }
    archive:
      { backup_locations: [disk], schedule: "0 0 1 * *", retention_period: 40 , keep_minimum: 1, include_databases: [hubbledb], allow_cleartext: true }
`
  }
})
