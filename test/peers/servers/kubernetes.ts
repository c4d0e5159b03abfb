import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { openSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { endsWithThis } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import { freePort } from './free-port.ts'
import { peerBinary } from './peer.ts'

/** What `test/peers/install.sh` must have put in place. */
export const KUBERNETES_PEERS = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kwok',
  'kubectl',
] as const

export interface Kubernetes extends AsyncDisposable {
  /** `https://127.0.0.1:PORT` */
  readonly url: string
  readonly host: string
  readonly port: number
  /** Of the whole control plane; goes with it. */
  readonly folder: string
  /** Of the cluster's administrator. */
  readonly kubeconfig: string
  /** PEM file of the authority that signed the API server's certificate. */
  readonly caFile: string
  readonly adminToken: string
  /** Runs kubectl as the administrator; rejects with what it wrote to standard error. */
  kubectl(...args: readonly string[]): Promise<string>
  /** `kubectl apply -f -` of objects, in the order given. */
  apply(...objects: readonly object[]): Promise<void>
  /** One object, or a list of them, as the API server has it now. */
  get(...args: readonly string[]): Promise<unknown>
  /** A folder as the kubelet mounts it for a pod: `token`, `ca.crt`, `namespace`. */
  mountServiceAccount(namespace: string, name: string): Promise<string>
  /** Ends the API server alone, for faults; `startApiServer` brings it back on the same port with the same data. */
  stopApiServer(): Promise<void>
  startApiServer(): Promise<void>
}

const run = promisify(execFile)

/**
 * A whole control plane on free ports, its files in a folder of its own: etcd, API server (RBAC, admission), controller
 * manager, scheduler, and kwok in the place of kubelets: pods become Running and Ready, and nothing runs in them.
 * Resolves when one node is Ready. About 8 s and 560 MB.
 */
export async function startKubernetes(): Promise<Kubernetes> {
  const folder = await mkdtemp(join(tmpdir(), 'palette-backup-kubernetes-'))
  const children = new Map<string, ChildProcess>()
  const endAll = (): void => {
    for (const child of children.values()) child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', endAll)
  const start = (name: string, args: readonly string[]): ChildProcess => {
    const log = openSync(join(folder, `${name}.log`), 'a')
    const child = spawn(...endsWithThis(peerBinary(name), args), { stdio: ['ignore', log, log], cwd: folder })
    children.set(name, child)
    return child
  }
  /** Starts it again when it ends by itself, as a kubelet does: a scheduler that finds its cache out of date just ends. */
  const keep = (name: string, args: readonly string[]): void => {
    start(name, args).once('exit', (code) => {
      if (code !== null && children.has(name)) keep(name, args)
    })
  }
  const stop = async (name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    const child = children.get(name)
    children.delete(name)
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
  const port = await freePort()
  const url = `https://127.0.0.1:${port}`
  const adminToken = randomBytes(16).toString('hex')
  const caFile = join(folder, 'certs', 'apiserver.crt')
  const kubeconfig = join(folder, 'admin.kubeconfig')
  const etcd = `http://127.0.0.1:${await freePort()}`
  const peer = `http://127.0.0.1:${await freePort()}`
  const kubectl = async (...args: readonly string[]): Promise<string> =>
    (await run(peerBinary('kubectl'), ['--kubeconfig', kubeconfig, ...args], { maxBuffer: 64 << 20 })).stdout
  const startApiServer = async (): Promise<void> => {
    start('kube-apiserver', apiServerArguments(folder, etcd, port))
    await until(`the API server on ${url}`, 60_000, async () => isReady(url, caFile, adminToken), 50)
  }

  await run('openssl', ['genrsa', '-out', join(folder, 'sa.key'), '2048'])
  await writeFile(join(folder, 'tokens.csv'), `${adminToken},admin,1,"system:masters"\n`, { mode: 0o600 })
  start('etcd', etcdArguments(folder, etcd, peer))
  await startApiServer()
  await writeFile(kubeconfig, kubeconfigText(url, caFile, adminToken), { mode: 0o600 })
  const asAdmin = `--kubeconfig=${kubeconfig}`
  const service = ['--leader-elect=false', '--secure-port=0']
  keep('kube-controller-manager', [
    asAdmin,
    ...service,
    `--service-account-private-key-file=${join(folder, 'sa.key')}`,
    '--use-service-account-credentials=true',
    `--root-ca-file=${caFile}`,
    // A busy machine is late with heartbeats, and kwok never makes a pod ready again that was taken for lost.
    '--node-monitor-grace-period=1h',
  ])
  keep('kube-scheduler', [asAdmin, ...service])
  start('kwok', [
    asAdmin,
    '--manage-all-nodes=true',
    `--config=${join(dirname(peerBinary('kwok')), 'kwok-stages.yaml')}`,
  ])
  const apply = async (...objects: readonly object[]): Promise<void> => {
    const file = join(folder, `apply-${randomBytes(6).toString('hex')}.json`)
    await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
    await kubectl('apply', '-f', file)
    await rm(file)
  }
  await apply(node('node-1'))
  await kubectl('wait', '--for=condition=Ready', 'node/node-1', '--timeout=60s')
  await kubectl('wait', '--for=create', 'serviceaccount/default', '--timeout=60s')

  return {
    url,
    host: '127.0.0.1',
    port,
    folder,
    kubeconfig,
    caFile,
    adminToken,
    kubectl,
    apply,
    get: async (...args) => JSON.parse(await kubectl('get', ...args, '-o', 'json')),
    async mountServiceAccount(namespace, name) {
      const mount = join(folder, 'mounts', namespace, name)
      await mkdir(mount, { recursive: true })
      await writeFile(join(mount, 'token'), (await kubectl('create', 'token', name, '-n', namespace)).trim())
      await writeFile(join(mount, 'ca.crt'), await readFile(caFile))
      await writeFile(join(mount, 'namespace'), namespace)
      return mount
    },
    stopApiServer: () => stop('kube-apiserver', 'SIGKILL'),
    startApiServer,
    async [Symbol.asyncDispose]() {
      // What watches goes before what is watched, or each complains of the other in its log.
      for (const name of ['kwok', 'kube-scheduler', 'kube-controller-manager', 'kube-apiserver', 'etcd']) {
        await stop(name, 'SIGKILL')
      }
      process.off('exit', endAll)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function etcdArguments(folder: string, client: string, peer: string): string[] {
  return [
    '--name=peer',
    `--data-dir=${join(folder, 'etcd')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=peer=${peer}`,
    '--unsafe-no-fsync',
  ]
}

/** `--cert-dir` makes a self-signed serving certificate, which is also the authority that clients are to trust. */
function apiServerArguments(folder: string, etcd: string, port: number): string[] {
  const key = join(folder, 'sa.key')
  return [
    `--etcd-servers=${etcd}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    '--endpoint-reconciler-type=none',
    `--cert-dir=${join(folder, 'certs')}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-signing-key-file=${key}`,
    `--service-account-key-file=${key}`,
    `--token-auth-file=${join(folder, 'tokens.csv')}`,
    '--authorization-mode=RBAC',
    '--allow-privileged=true',
  ]
}

function kubeconfigText(url: string, caFile: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'peer', cluster: { server: url, 'certificate-authority': caFile } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'peer', context: { cluster: 'peer', user: 'admin' } }],
    'current-context': 'peer',
  })
}

function node(name: string): object {
  const resources = { cpu: '64', memory: '256Gi', 'ephemeral-storage': '100Gi', pods: '500' }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64' },
    },
    status: { allocatable: resources, capacity: resources },
  }
}

async function isReady(url: string, caFile: string, token: string): Promise<boolean> {
  const ca = await readFile(caFile)
  return await new Promise((resolve, reject) => {
    const call = request(`${url}/readyz`, { ca, headers: { authorization: `Bearer ${token}` } }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    call.on('error', reject)
    call.end()
  })
}
