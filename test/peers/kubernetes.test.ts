import { execFile, spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AgentProcess } from '../support/agent-process.ts'
import { contentsOf } from '../support/contents.ts'
import { NAMESPACE, WRITERS } from '../support/kubernetes/palette.ts'
import { startPaletteApi } from '../support/palette-api.ts'
import { until } from '../support/until.ts'
import { PaletteInKubernetes } from './palette-in-kubernetes.ts'
import { KUBERNETES_PEERS } from './servers/kubernetes.ts'
import { peerBinary, peersMissing } from './servers/peer.ts'

const run = promisify(execFile)
const MAIN = fileURLToPath(new URL('../../agent/main.ts', import.meta.url))
const DATABASES = ['hubbledb', 'hubble_timeseriesdb', 'hubble_archivedb']

/** Beside Palette in a real control plane, as an operator sees it. The tests build on each other. */
describe.skipIf(peersMissing(...KUBERNETES_PEERS, 'ferretdb', 'helm'))('beside Palette in Kubernetes', () => {
  let palette: PaletteInKubernetes
  let config: string

  beforeAll(async () => {
    palette = await PaletteInKubernetes.start()
    config = await palette.configure('palette-backup.yaml')
  })
  afterAll(async () => {
    await palette?.[Symbol.asyncDispose]()
  })

  it('names the rule that is missing before any right has been given', async () => {
    const refused = await palette.command(config, ['plan', '--discover'])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(
      'statefulsets.apps "mongo" is forbidden: User "system:serviceaccount:palette-backup:palette-backup" cannot get',
    )
    expect(refused.stderr).toContain(
      'Role in namespace hubble-system with the rule { apiGroups: ["apps"], resources: ["statefulsets"], resourceNames: ["mongo"], verbs: ["get"] }',
    )
  })

  it('may do what docs/rbac.json lists, and nothing else', async () => {
    await palette.grant('backup')
    expect(await palette.can('get', 'secrets/configserversecret', '-n', NAMESPACE)).toBe(true)
    expect(await palette.can('list', 'secrets', '-n', 'default')).toBe(true)
    expect(await palette.can('get', 'secrets/spectro-mongodb-replicaset-key', '-n', NAMESPACE)).toBe(false)
    expect(await palette.can('list', 'secrets', '-n', NAMESPACE)).toBe(false)
    expect(await palette.can('patch', 'deployments/auth', '-n', NAMESPACE)).toBe(false)
    expect(await palette.can('patch', 'secrets/configserversecret', '-n', NAMESPACE)).toBe(false)
    expect(await palette.can('create', 'pods', '-n', NAMESPACE)).toBe(false)
  })

  it('finds MongoDB without being told', async () => {
    const found = await palette.command(config, ['plan', '--discover', '--json'])
    expect(found, found.stderr).toMatchObject({ code: 0 })
    const { installation } = JSON.parse(found.stdout)
    const facts = Object.fromEntries(installation.facts.map(({ name, value }: Record<string, string>) => [name, value]))
    expect(facts).toMatchObject({
      version: '4.9.14',
      edition: 'palette',
      'mongodb.members': expect.stringContaining(`mongo-2.mongo.hubble-system.svc:${palette.mongodb.port}`),
      'mongodb.replica_set': 'rs0',
      root_domain: 'palette.example.com',
    })
    expect(installation.problems).toEqual([])
    expect(found.stdout).not.toContain('swordfish')
    const wrong = await palette.configure('wrong.yaml', { namespace: 'jet-system' })
    expect((await palette.command(wrong, ['plan', '--discover'])).stderr).toContain('forbidden')
  })

  it('reads what Helm itself has written', async () => {
    const chart = join(palette.folder, 'spectro-mgmt-plane')
    await mkdir(join(chart, 'templates'), { recursive: true })
    await writeFile(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: spectro-mgmt-plane\nversion: 4.9.15\n')
    await writeFile(join(chart, 'values.yaml'), 'unchanged: 1\n')
    const helm = (...args: string[]) =>
      run(peerBinary('helm'), [...args, '--kubeconfig', palette.kubernetes.kubeconfig, '-n', 'default'])
    await palette.kubernetes.kubectl('delete', 'secret', '-n', 'default', '-l', 'owner=helm')
    await helm('install', 'hubble', chart, '--set', 'config.env.rootDomain=old.example.com')
    await helm('upgrade', 'hubble', chart, '--set', 'config.env.rootDomain=palette.example.com')
    const found = await palette.command(config, ['plan', '--discover'])
    expect(found.stdout).toContain('spectro-mgmt-plane 4.9.15, revision 2, deployed  (Helm release default/hubble)')
    expect(found.stdout).toMatch(/root_domain +palette\.example\.com/)
  })

  it('backs up MongoDB, Secrets and Helm records; stock tools read them', async () => {
    const done = await palette.command(config, ['backup', 'nightly', '--json'])
    expect(done, done.stderr).toMatchObject({ code: 0 })
    const shown = await palette.command(config, ['show', 'latest', '--json'])
    const text = shown.stdout
    expect(text).toContain('"palette_version": "4.9.14"')
    expect(text).not.toContain('swordfish')
    const backupId = JSON.parse(done.stdout).backupId
    const folder = join(palette.folder, 'prod', 'nightly', backupId)
    const out = join(palette.folder, 'out')
    await mkdir(out)
    await run('sh', ['-c', `zstd -qdc ${folder}/kubernetes.tar.zst | tar -x -C ${out}`])
    const secret = JSON.parse(await readFile(join(out, NAMESPACE, 'secrets', 'configserversecret.json'), 'utf8'))
    expect(Buffer.from(secret.data['key.pem'], 'base64').toString()).toBe('config-swordfish')
    expect(await readFile(join(out, '_helm', 'default', 'hubble.values.json'), 'utf8')).toContain('palette.example.com')
    const verified = await palette.command(config, ['verify', 'latest'])
    expect(verified, verified.stderr).toMatchObject({ code: 0 })
  })

  it('backs up all objects of the namespaces, and says what it may not read', async () => {
    const all = await palette.configure('all.yaml', {}, { include_cluster_resources: true, namespaces: [NAMESPACE] })
    const partial = await palette.command(all, ['backup', 'nightly'])
    expect(partial).toMatchObject({ code: 3, stderr: expect.stringContaining('verbs: ["list"]') })
    const always = { apiGroups: ['*'], resources: ['*'], verbs: ['get', 'list'] }
    const metadata = { name: 'always', namespace: NAMESPACE }
    const rbac = 'rbac.authorization.k8s.io'
    const subjects = [{ kind: 'ServiceAccount', name: 'palette-backup', namespace: 'palette-backup' }]
    const roleRef = { apiGroup: rbac, kind: 'Role', name: 'always' }
    await palette.kubernetes.apply(
      { apiVersion: `${rbac}/v1`, kind: 'Role', metadata, rules: [always] },
      { apiVersion: `${rbac}/v1`, kind: 'RoleBinding', metadata, roleRef, subjects },
    )
    const whole = await palette.command(all, ['backup', 'nightly'])
    expect(whole, whole.stderr).toMatchObject({ code: 0 })
    const shown = await palette.command(all, ['show', 'latest', '--json'])
    const found = JSON.parse(shown.stdout)
    expect(JSON.stringify(found)).toContain('"Deployment.apps":9')
    await palette.kubernetes.kubectl('delete', 'role/always', 'rolebinding/always', '-n', NAMESPACE)
  })

  it('tells the installation in /status of the agent', async () => {
    await using agent = await AgentProcess.start({ configFile: config, env: palette.env })
    await until('the installation in /status', 60_000, async () =>
      JSON.stringify(await agent.status()).includes('4.9.14'),
    )
    expect(await agent.status()).toMatchObject({
      installation: { problems: [], facts: expect.arrayContaining([expect.objectContaining({ name: 'edition' })]) },
    })
    expect(JSON.stringify(agent.log)).not.toContain('swordfish')
  })

  it('makes a partial backup of a MongoDB it is told while the API server is away, and none of one it has to find', async () => {
    const told = await palette.configure('told.yaml', { mongodb: { uri: { $env: 'MONGODB_URI' } } })
    await palette.kubernetes.stopApiServer()
    const partial = await palette.command(told, ['backup', 'nightly'])
    const none = await palette.command(config, ['backup', 'nightly'])
    await palette.kubernetes.startApiServer()
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('no answer from the API server') })
    expect(partial).toMatchObject({ code: 3, stderr: expect.stringContaining('no answer from the API server') })
    expect((await palette.command(config, ['backup', 'nightly'])).code).toBe(0)
  })

  it('changes nothing in a restore without the rights to stop Palette', async () => {
    const before = await contentsOf(palette.mongodb.uri, DATABASES)
    const refused = await palette.command(config, ['restore', 'latest', '--yes'])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('listing cronjobs.batch of namespace hubble-system')
    expect(refused.stderr).toContain('verbs: ["list"]')
    expect(await contentsOf(palette.mongodb.uri, DATABASES)).toEqual(before)
  })

  it('restores databases and Secrets with Palette stopped meanwhile', async () => {
    await palette.grant('restore')
    const before = await contentsOf(palette.mongodb.uri, DATABASES)
    await using client = new MongoClient(palette.mongodb.uri)
    await client.db('hubbledb').dropDatabase()
    const lost = { stringData: { 'key.pem': 'lost', other: 'x' } }
    await palette.kubernetes.kubectl('patch', 'secret/configserversecret', '-n', NAMESPACE, '-p', JSON.stringify(lost))
    await using api = await startPaletteApi()
    palette.env['PALETTE_API_KEY'] = 'tenant-key'
    const withApi = await palette.configure('with-api.yaml', {
      host: api.host,
      api_key: { $env: 'PALETTE_API_KEY' },
      ignore_insecure_tls_error: true,
    })
    const watched = palette.watchReplicas()
    const restored = await palette.command(withApi, ['restore', 'latest', '--apply-secrets'], 'RESTORE prod\n')
    expect(restored, restored.stderr).toMatchObject({ code: 0 })
    watched.stop()
    const set = (setting: string) => `POST {"spectroComponents":"${setting}"}`
    expect(api.calls).toEqual(['GET ', set('lock'), set('unlock')])
    for (const [name, replicas] of Object.entries(WRITERS)) {
      const seen = watched.seen.filter((line) => line.startsWith(`${name} `))
      expect(seen, name).toContain(`${name} 0`)
      expect(seen.at(-1), name).toBe(`${name} ${replicas}`)
    }
    expect(await contentsOf(palette.mongodb.uri, DATABASES)).toEqual(before)
    expect(await secretKeys()).toEqual(['key.pem', 'salt'])
    expect(restored.stderr).toContain('~ data.key.pem  4 → 16 bytes')
    expect(restored.stderr).toContain('- data.other  1 bytes')
    expect(restored.stderr).toMatch(/stops .*auth \(2\).* in hubble-system, and starts them afterwards/)
    expect(restored.stderr).toContain('Left to do by hand:')
    expect(restored.stderr).not.toContain('swordfish')
    const mongo = await palette.kubernetes.get('statefulset/mongo', '-n', NAMESPACE)
    expect(mongo).toMatchObject({ metadata: { generation: 1 }, spec: { replicas: 3 } })
  })

  it('starts again what a restore that was killed has left stopped', async () => {
    const watched = palette.watchReplicas()
    const child = spawn(process.execPath, [MAIN, 'restore', 'latest', '--yes', '--config', config], {
      env: { PATH: process.env['PATH'], ...palette.env },
      stdio: 'ignore',
    })
    await until('auth to be stopped', 120_000, async () => watched.seen.includes('auth 0'), 5)
    child.kill('SIGKILL')
    watched.stop()
    const auth = await palette.kubernetes.get('deployment/auth', '-n', NAMESPACE)
    expect(auth).toMatchObject({
      metadata: { annotations: { 'palette-backup/replicas-before-restore': '2' } },
      spec: { replicas: 0 },
    })
    const resumed = await palette.command(config, ['resume'])
    expect(resumed, resumed.stderr).toMatchObject({ code: 0 })
    for (const [name, replicas] of Object.entries(WRITERS)) {
      const now = await palette.kubernetes.get(`deployment/${name}`, '-n', NAMESPACE)
      expect(now, name).toMatchObject({ spec: { replicas } })
      expect(JSON.stringify(now)).not.toContain('palette-backup/replicas-before-restore')
    }
  })

  it('refuses to restore into an older Palette, and into the other edition', async () => {
    const older = { data: { 'spectro-mgmt-version-current': '4.8.2' } }
    const patch = ['patch', 'configmap/spectro-mgmt-version', '-n', NAMESPACE, '-p', JSON.stringify(older)]
    await palette.kubernetes.kubectl(...patch)
    expect(await palette.command(config, ['restore', 'latest', '--yes'])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('the backup is of Palette 4.9.14, the target is older: 4.8.2'),
    })
    const vertex = await palette.configure('vertex.yaml', { edition: 'vertex', palette_version: '4.9.14' })
    expect(await palette.command(vertex, ['restore', 'latest', '--yes'])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('the backup is of Palette, the target is VerteX'),
    })
  })

  async function secretKeys(): Promise<string[]> {
    const secret = await palette.kubernetes.get('secret/configserversecret', '-n', NAMESPACE)
    return Object.keys(Object(Reflect.get(Object(secret), 'data'))).sort()
  }
})
