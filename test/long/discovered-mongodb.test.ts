import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { KubernetesObject } from '../../agent/kubernetes/object.ts'
import { AgentProcess, runCommand } from '../support/agent-process.ts'
import { NAMESPACE, paletteObjects, ROOT_PASSWORD, secret } from '../support/kubernetes/palette.ts'
import { type KubernetesDouble, startKubernetesDouble } from '../support/kubernetes/server.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'
import { paletteCollections } from '../support/mongodb/palette-data.ts'
import { seedStore } from '../support/mongodb/palette-load.ts'
import { type MongodbDouble, startMongodb } from '../support/mongodb/server.ts'
import { until } from '../support/until.ts'

/** Commands of the real program, one after another on a busy machine. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const NAMES = new URL('../support/cluster-names.mjs', import.meta.url).href
const STEPS = ['find MongoDB', 'connect', 'list', 'read', 'rights to restore', 'read Secrets']
const ROOT_SECRET = 'Secret hubble-system/spectromongosecret, key mongoRootPassword'

describe.each(['palette', 'vertex'] as const)('a configuration that names no MongoDB, beside a %s', (edition) => {
  const certificate = selfSignedCertificate(['mongo'])
  const { cert, key } = certificate
  let folder: string
  let mongodb: MongodbDouble
  let kubernetes: KubernetesDouble
  let options: { configFile: string; env: Record<string, string> }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'discovered-'))
    await mkdir(join(folder, 'disk'))
    const tls = { tls: { cert, key, ca: cert, requestCert: true, rejectUnauthorized: true } }
    mongodb = await startMongodb({
      auth: { username: 'root', password: ROOT_PASSWORD },
      ...(edition === 'vertex' ? tls : {}),
    })
    seedStore(mongodb.store, paletteCollections({ bytes: 300_000 }))
    const objects = paletteObjects(edition === 'vertex' ? { edition, tls: { ca: cert, cert, key } } : {})
    kubernetes = await startKubernetesDouble(objects.map((object) => servedBy(object, mongodb.port)))
    options = {
      configFile: join(folder, 'palette-backup.yaml'),
      env: { NODE_OPTIONS: `--import=${NAMES}` },
    }
    await writeFile(options.configFile, configuration())
  })

  afterAll(async () => {
    await Promise.all([kubernetes?.[Symbol.asyncDispose](), mongodb?.stop()])
    await rm(folder, { recursive: true })
  })

  function configuration(): string {
    return `version: 1
provider:
  palette:
    cluster_name: lab
    kubernetes: { server: "${kubernetes.url}", service_account_directory: "${kubernetes.directory}" }
resource:
  backup_storage_location:
    disk: { storage_provider: filesystem, filesystem: { path: "${folder}/disk" } }
  backup_policy:
    nightly: { backup_locations: [disk], schedule: "0 2 1 1 *", retention_period: 400, allow_cleartext: true }
`
  }

  it('is validated: what was found from where, and each step with its time', async () => {
    const { code, stdout, stderr } = await runCommand(options, ['validate', '--json'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const { installation } = JSON.parse(stdout)
    expect(installation).toMatchObject({ ok: true, steps: STEPS.map((name) => ({ name, ok: true })) })
    const [found, connected, listed, read, rights, secrets] = installation.steps
    expect(found.detail).toContain(`mongodb.password (sensitive) (${ROOT_SECRET}`)
    expect(found.detail).toContain(`mongodb.members mongo-0.mongo.hubble-system.svc:${mongodb.port}`)
    expect(found.detail).toContain(
      edition === 'vertex' ? 'mongodb.tls mutual TLS' : 'mongodb.tls none (MongoDB mounts no mongo-tls)',
    )
    expect(connected.detail).toContain('primary')
    expect(listed.detail).toMatch(/^MongoDB 7\.0\.14; \d+ collections of hubbledb, hubble_timeseriesdb/)
    expect(read.detail).toMatch(/^a document of \d databases$/)
    expect(rights.detail).not.toBe('')
    expect(secrets.detail).toContain('Secret hubble-system/configserversecret')
    expect(connected.durationMs).toBeGreaterThan(0)
    expect(stdout).not.toMatch(/swordfish|PRIVATE KEY/)
  })

  it('is backed up and proven', async () => {
    expect(await runCommand(options, ['backup', 'nightly'])).toMatchObject({ code: 0 })
    expect(await runCommand(options, ['verify', 'latest'])).toMatchObject({ code: 0 })
    const { stdout } = await runCommand(options, ['show', 'latest', '--json'])
    expect(stdout).toContain(edition)
    expect(stdout).toContain('mongodb.archive')
    expect(stdout).toContain('kubernetes.tar')
    expect(stdout).not.toContain('swordfish')
  })

  it('is validated by the agent too, which watches the certificates of the cluster', async () => {
    await using agent = await AgentProcess.start(options)
    const report = await fetch(`${agent.url}/validate`, { method: 'POST', body: configuration() })
    expect(report.status).toBe(200)
    expect(await report.json()).toMatchObject({
      ok: true,
      installation: { ok: true, result: 'success', steps: STEPS.map((name) => ({ name, ok: true })) },
    })
    const series = 'palette_backup_certificate_expiry_timestamp_seconds'
    if (edition === 'vertex') {
      for (const name of ['ca.crt', 'tls.crt']) {
        const labels = `{certificate="Secret hubble-system/mongo-tls, key ${name}"}`
        await until(labels, 60_000, async () => (await agent.metric(series + labels)) !== undefined)
        expect(await agent.metric(series + labels)).toBeGreaterThan(Date.now() / 1000)
      }
    }
    expect(edition === 'vertex').toBe((await agent.metrics()).includes(`${series}{`))
  })

  it('tells which Secret holds the password that MongoDB refuses, and which Secret a backup would lack', async () => {
    kubernetes.store.put(secret('spectromongosecret', { mongoRootPassword: 'wrong-swordfish' }))
    kubernetes.store.remove('Secret', NAMESPACE, 'msgbroker-secret')
    const { code, stdout } = await runCommand(options, ['validate'])
    expect(code).toBe(1)
    expect(stdout).toMatch(/FAILED {2}connect/)
    expect(stdout).toContain(`its password is from ${ROOT_SECRET}`)
    expect(stdout).toMatch(/FAILED {2}read Secrets/)
    expect(stdout).toContain('msgbroker-secret')
    expect(stdout).not.toContain('swordfish')
  })

  it('tells which StatefulSet it looked at when nobody answers there', async () => {
    await mongodb.stop()
    const { code, stderr } = await runCommand(options, ['backup', 'nightly'])
    expect(code).toBe(1)
    expect(stderr).toContain('Check StatefulSet hubble-system/mongo')
  })
})

/** One member, behind the port of the double. */
function servedBy(object: KubernetesObject, port: number): KubernetesObject {
  if (object.kind !== 'StatefulSet' || object.metadata.name !== 'mongo') return object
  const text = JSON.stringify({ ...object, spec: { ...Object(object['spec']), replicas: 1 } })
  return JSON.parse(text.replace('"containerPort":27017', `"containerPort":${port}`))
}
