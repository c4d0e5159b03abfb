import { chmod, chown, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contentsOf } from '../support/contents.ts'
import { mountAsKubelet } from '../support/kubelet-mount.ts'
import { paletteCollections } from '../support/mongodb/palette-data.ts'
import { loadCollections } from '../support/mongodb/palette-load.ts'
import { until } from '../support/until.ts'
import type { Container } from './servers/container.ts'
import { buildImage, runContainer, startContainer } from './servers/container.ts'
import type { FerretDb } from './servers/ferretdb.ts'
import { startFerretDb } from './servers/ferretdb.ts'
import { freePort } from './servers/free-port.ts'
import { CI_VALUES, renderChart } from './servers/helm.ts'
import { peersMissing } from './servers/peer.ts'

const UID = 65_532
const DATABASES = ['hubbledb', 'hubble_timeseriesdb', 'hubble_archivedb']

let image: string
let folder: string

describe.skipIf(peersMissing('buildah', 'podman', 'ferretdb', 'helm'))('the image', () => {
  beforeAll(async () => {
    image = await buildImage()
    folder = await mkdtemp(join(tmpdir(), 'palette-backup-image-'))
    await chmod(folder, 0o755)
  }, 600_000)

  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('is the version of package.json', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(await runContainer({ image, args: ['--version'] })).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('holds the bundle, the licences and a list of what is in it, and no package, no compiler, no npm, no source', async () => {
    const script = 'cd /opt/palette-backup && id -u && ls && ls dist && find . -name "*.ts" && which npm npx tsc'
    const { stdout } = await runContainer({ image, entrypoint: 'sh', args: ['-c', script] })
    const [uid, ...names] = stdout.trim().split('\n')
    expect(uid).toBe(String(UID))
    expect(names.slice(0, 4)).toEqual(['LICENSE', 'config', 'dist', 'package.json'])
    const listed = ['main.js', 'THIRD-PARTY-LICENCES.txt', 'palette-backup.cdx.json']
    expect(names).toEqual(expect.arrayContaining(listed))
    expect(names.slice(4).filter((name) => !name.endsWith('.js') && !listed.includes(name))).toEqual([])
  })

  it('tells a scanner which packages it holds, and none that only build and test it', async () => {
    const list = '/opt/palette-backup/dist/palette-backup.cdx.json'
    const { stdout } = await runContainer({ image, entrypoint: 'cat', args: [list] })
    const { bomFormat, metadata, components } = JSON.parse(stdout)
    expect({ bomFormat, purl: metadata.component.purl }).toEqual({
      bomFormat: 'CycloneDX',
      purl: expect.stringMatching(/^pkg:npm\/palette-backup@/),
    })
    const purls: readonly string[] = components.map(({ purl }: { purl: string }) => purl.replace(/@[^@]*$/, ''))
    expect(purls).toEqual(
      expect.arrayContaining(['pkg:npm/mongodb', 'pkg:npm/%40aws-sdk/client-s3', 'pkg:npm/basic-ftp']),
    )
    expect(purls.filter((purl) => /vitest|typescript|biome|rolldown|node-linux/.test(purl))).toEqual([])
  })

  it('can write nowhere but to /tmp, and holds no capability', async () => {
    const script =
      'touch /tmp/a && ! touch /opt/palette-backup/a && ! touch /a && grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status'
    const { code, stdout } = await runContainer({ image, entrypoint: 'sh', args: ['-c', script] })
    expect(code).toBe(0)
    expect(stdout.replaceAll('\t', ' ')).toBe('CapEff: 0000000000000000\nCapBnd: 0000000000000000\nNoNewPrivs: 1\n')
  })

  describe('as the chart runs it', () => {
    let ferretdb: FerretDb
    let container: Container
    let url: string
    let config: string

    beforeAll(async () => {
      ferretdb = await startFerretDb()
      const client = new MongoClient(ferretdb.uri)
      await loadCollections(client, paletteCollections({ collections: 8, documents: 2000, bytes: 4_000_000 }))
      await client.close()
      config = join(folder, 'config')
      await mkdir(join(folder, 'backups'))
      await chown(join(folder, 'backups'), UID, UID)
      await mountAsKubelet(config, { 'palette-backup.yaml': configuration(14) })
      const port = await freePort()
      url = `http://127.0.0.1:${port}`
      container = startContainer({
        image,
        args: ['agent', `--host=127.0.0.1`, `--port=${port}`, '--config=/etc/palette-backup/palette-backup.yaml'],
        env: { MONGODB_URI: ferretdb.uri },
        mounts: { [config]: '/etc/palette-backup', [join(folder, 'backups')]: '/backups:rw' },
      })
      await until('the agent to be ready', 60_000, async () => (await fetch(`${url}/readyz`)).ok)
    })

    afterAll(async () => {
      await container[Symbol.asyncDispose]()
      await ferretdb.stop()
    })

    it('makes a backup, in a process of its own, and restores it', async () => {
      const original = await contentsOf(ferretdb.uri, DATABASES)
      expect(original.length).toBe(8)
      const started = await fetch(`${url}/backups?policy=nightly`, { method: 'POST' })
      expect(started.status).toBe(202)
      const complete = 'palette_backup_runs_total{policy="nightly",result="success"} 1\n'
      await until('the backup', 60_000, async () => (await (await fetch(`${url}/metrics`)).text()).includes(complete))
      const listed = await container.exec('palette-backup', 'list', '--json')
      expect(JSON.parse(listed.stdout).backups).toHaveLength(1)

      const client = new MongoClient(ferretdb.uri)
      await client.db('hubbledb').dropDatabase()
      await client.close()
      const restored = await container.exec('palette-backup', 'restore', 'latest', '--yes')
      expect(restored.code, restored.stderr).toBe(0)
      expect(await contentsOf(ferretdb.uri, DATABASES)).toEqual(original)
    })

    it('passes `helm test`', async () => {
      const objects = await renderChart('-f', CI_VALUES['default'] ?? '')
      const [pod] = objects.filter(({ kind }) => kind === 'Pod')
      const [entrypoint, ...args]: readonly string[] = Object(pod?.['spec']).containers[0].command
      const here = args.map((argument) => argument.replace(/^http:\/\/palette-backup:9180/, url))
      expect(await runContainer({ image, entrypoint: entrypoint ?? '', args: here })).toMatchObject({
        code: 0,
        stdout: '200 ok\n',
      })
      const elsewhere = args.map((argument) => argument.replace(/^http:.*/, 'http://127.0.0.1:9/readyz'))
      expect(await runContainer({ image, entrypoint: entrypoint ?? '', args: elsewhere })).toMatchObject({ code: 1 })
    })

    it('applies a ConfigMap that the kubelet swaps', async () => {
      const info = async (): Promise<string | undefined> =>
        /palette_backup_config_info\{digest="(\w+)"/.exec(await (await fetch(`${url}/metrics`)).text())?.[1]
      const before = await info()
      await mountAsKubelet(config, { 'palette-backup.yaml': configuration(21) })
      await until('the new configuration', 10_000, async () => (await info()) !== before)
    })

    it('ends by itself when it is asked to', async () => {
      expect(await container.stop()).toBe(0)
    })
  })
})

function configuration(retentionDays: number): string {
  return `version: 1
provider:
  palette: { cluster_name: prod, mongodb: { uri: { $env: MONGODB_URI } } }
resource:
  backup_storage_location:
    volume: { storage_provider: filesystem, filesystem: { path: /backups } }
  backup_policy:
    nightly: { backup_locations: [volume], schedule: "0 2 * * *", retention_period: ${retentionDays}, allow_cleartext: true }
`
}
