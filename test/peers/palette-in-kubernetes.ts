import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { MongoClient } from 'mongodb'
import { type CommandResult, runCommand } from '../support/agent-process.ts'
import { NAMESPACE, paletteObjects, ROOT_PASSWORD } from '../support/kubernetes/palette.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'
import { paletteCollections } from '../support/mongodb/palette-data.ts'
import { loadCollections } from '../support/mongodb/palette-load.ts'
import { type FerretDb, startFerretDb } from './servers/ferretdb.ts'
import { type Kubernetes, startKubernetes } from './servers/kubernetes.ts'
import { peerBinary } from './servers/peer.ts'

const AGENT = { name: 'palette-backup', namespace: 'palette-backup' }

/** What the cluster's DNS would do for a program outside it. */
const NAMES = new URL('../support/cluster-names.mjs', import.meta.url).href
const SERVICE = `mongo.${NAMESPACE}.svc`

/**
 * Palette as its chart makes it in a real control plane, and the agent with the token of a ServiceAccount that has the
 * rights of docs/rbac.json. Pods run nothing here: behind the names of MongoDB's members is FerretDB, which lets in the
 * root of Palette's Secret, and beside a VerteX only with the certificate of the Secret `mongo-tls`.
 */
export class PaletteInKubernetes implements AsyncDisposable {
  readonly kubernetes: Kubernetes
  readonly mongodb: FerretDb
  readonly folder: string
  readonly env: Record<string, string>

  private constructor(kubernetes: Kubernetes, mongodb: FerretDb, folder: string, serviceAccount: string) {
    this.kubernetes = kubernetes
    this.mongodb = mongodb
    this.folder = folder
    this.env = {
      MONGODB_URI: mongodb.uri,
      NODE_OPTIONS: `--import=${NAMES}`,
      SERVICE_ACCOUNT: serviceAccount,
      KUBERNETES_SERVICE_HOST: kubernetes.host,
      KUBERNETES_SERVICE_PORT: String(kubernetes.port),
    }
  }

  static async start(edition: 'palette' | 'vertex' = 'palette'): Promise<PaletteInKubernetes> {
    const { cert, key } = selfSignedCertificate([`*.${SERVICE}`, `*.${SERVICE}.cluster.local`])
    const tls = edition === 'vertex' ? { cert, key } : undefined
    const account = { username: 'root', password: ROOT_PASSWORD }
    const [kubernetes, mongodb] = await Promise.all([
      startKubernetes(),
      startFerretDb({ account, member: `mongo-0.${SERVICE}`, ...(tls ? { tls } : {}) }),
    ])
    const folder = await mkdtemp(join(tmpdir(), 'palette-backup-in-kubernetes-'))
    const client = new MongoClient(mongodb.uri)
    await loadCollections(client, paletteCollections({ bytes: 2_000_000 }))
    await client.close()
    await kubernetes.apply(
      ...paletteObjects({ edition, port: mongodb.port, ...(tls ? { tls: { ...tls, ca: cert } } : {}) }),
    )
    await kubernetes.kubectl('create', 'namespace', AGENT.namespace)
    await kubernetes.kubectl('create', 'serviceaccount', AGENT.name, '-n', AGENT.namespace)
    const serviceAccount = await kubernetes.mountServiceAccount(AGENT.namespace, AGENT.name)
    const pods = ['-n', NAMESPACE, 'rollout', 'status', '--timeout=120s']
    for (const workload of ['statefulset/mongo', 'deployment/auth']) await kubernetes.kubectl(...pods, workload)
    return new PaletteInKubernetes(kubernetes, mongodb, folder, serviceAccount)
  }

  /** Roles of docs/rbac.json for the agent's ServiceAccount. */
  async grant(part: 'backup' | 'restore'): Promise<void> {
    const list: unknown = JSON.parse(await readFile(new URL('../../docs/rbac.json', import.meta.url), 'utf8'))
    const roles: { namespace: string; rules: object[] }[] = Reflect.get(Object(list), part)
    const metadata = (namespace: string) => ({ name: `palette-backup-${part}`, namespace })
    const rbac = 'rbac.authorization.k8s.io'
    await this.kubernetes.apply(
      ...roles.flatMap(({ namespace, rules }) => [
        { apiVersion: `${rbac}/v1`, kind: 'Role', metadata: metadata(namespace), rules },
        {
          apiVersion: `${rbac}/v1`,
          kind: 'RoleBinding',
          metadata: metadata(namespace),
          roleRef: { apiGroup: rbac, kind: 'Role', name: `palette-backup-${part}` },
          subjects: [{ kind: 'ServiceAccount', ...AGENT }],
        },
      ]),
    )
  }

  /** Whether the agent may: `can('get', 'secrets/x', '-n', 'default')`. */
  async can(...question: readonly string[]): Promise<boolean> {
    const who = `--as=system:serviceaccount:${AGENT.namespace}:${AGENT.name}`
    const answer = await this.kubernetes.kubectl('auth', 'can-i', ...question, who).catch(() => 'no')
    return answer.trim() === 'yes'
  }

  /** A file in the shape of config/in-cluster.yaml, with changes to `provider.palette` and the policy. */
  async configure(name: string, provider: object = {}, policy: object = {}): Promise<string> {
    const file = join(this.folder, name)
    const palette = {
      cluster_name: 'prod',
      kubernetes: { service_account_directory: this.env['SERVICE_ACCOUNT'] },
      ...provider,
    }
    const location = { storage_provider: 'filesystem', filesystem: { path: this.folder } }
    const always = { backup_locations: ['disk'], schedule: '0 0 1 1 *', retention_period: 400, allow_cleartext: true }
    const nightly = { ...always, ...policy }
    const resource = { backup_storage_location: { disk: location }, backup_policy: { nightly } }
    await writeFile(file, JSON.stringify({ version: 1, provider: { palette }, resource }))
    return file
  }

  command(configFile: string, args: readonly string[], input?: string): Promise<CommandResult> {
    return runCommand({ configFile, env: this.env }, args, input)
  }

  /** Every `name replicas` that the API server tells of Deployments, from now on. */
  watchReplicas(): { readonly seen: readonly string[]; stop(): void } {
    const columns = 'jsonpath={.metadata.name} {.spec.replicas}{"\\n"}'
    const args = ['--kubeconfig', this.kubernetes.kubeconfig, 'get', 'deployments', '-n', NAMESPACE, '--watch']
    const child = spawn(peerBinary('kubectl'), [...args, '-o', columns], { stdio: ['ignore', 'pipe', 'ignore'] })
    const seen: string[] = []
    createInterface({ input: child.stdout }).on('line', (line) => seen.push(line))
    return { seen, stop: () => void child.kill('SIGKILL') }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.kubernetes[Symbol.asyncDispose](), this.mongodb.stop()])
    await rm(this.folder, { recursive: true, force: true })
  }
}
