import { gzipSync } from 'node:zlib'
import type { KubernetesObject } from '../../../agent/kubernetes/object.ts'

export const NAMESPACE = 'hubble-system'
export const ROOT_PASSWORD = 'root-swordfish/@:'

export interface PaletteOptions {
  readonly edition?: 'palette' | 'vertex'
  readonly version?: string
  /** `ca.crt`, `tls.crt` and `tls.key` of MongoDB, with edition `vertex`. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string }
  /** Where every member of MongoDB listens; 27017 without it. */
  readonly port?: number
  /** `mongo.databaseUrl` and the password of an external MongoDB: there is no StatefulSet then. */
  readonly external?: { readonly databaseUrl: string; readonly password: string }
}

/** The workloads of `hubble-system` beside MongoDB, and their replicas: June 2026, Palette 4.9. */
export const WRITERS: Readonly<Record<string, number>> = {
  auth: 2,
  cloud: 2,
  configserver: 1,
  event: 1,
  hashboard: 1,
  mgmt: 1,
  spectrocluster: 2,
  system: 1,
  timeseries: 2,
}

/** What Palette's chart leaves in a cluster, as far as it matters here, in the order it can be created in. */
export function paletteObjects(options: PaletteOptions = {}): KubernetesObject[] {
  const { version = '4.9.14', edition = 'palette', tls, port, external } = options
  return [
    ...[NAMESPACE, 'jet-system', 'cp-system', 'ui-system', 'ingress-traefik', 'ingress-nginx'].map(namespace),
    secret('configserversecret', { 'key.pem': 'config-swordfish', salt: 'config-swordfish-salt' }),
    secret('msgbroker-secret', { nkey: 'broker-swordfish' }),
    secret('spectro-mongodb-replicaset-key', { 'mongo.key': 'keyfile-swordfish' }),
    ...(external ? [] : [secret('spectromongosecret', { mongoRootPassword: ROOT_PASSWORD })]),
    ...(tls ? [secret('mongo-tls', { 'ca.crt': tls.ca, 'tls.crt': tls.cert, 'tls.key': tls.key })] : []),
    {
      ...secret('default-ssl-certificate', { 'tls.crt': 'public', 'tls.key': 'ingress-swordfish' }),
      metadata: { name: 'default-ssl-certificate', namespace: 'ingress-nginx' },
    },
    configMap('spectro-mgmt-version', { 'spectro-mgmt-version-current': version }),
    configMap('hubble-environment', { rootDomain: 'palette.example.com' }),
    ...(external ? [] : [mongoStatefulSet(edition, tls !== undefined, port)]),
    statefulSet('msgbroker', 2),
    statefulSet('specman', 1),
    ...Object.entries(WRITERS).map(([name, replicas]) => deployment(name, replicas)),
    {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'cleanup', namespace: NAMESPACE },
      spec: { schedule: '0 0 * * 0', jobTemplate: { spec: { template: podTemplate('cleanup', 'Never') } } },
    },
    helmRecord('hubble', 1, 'superseded', {}),
    helmRecord('hubble', 2, 'deployed', {
      config: { installationMode: 'connected', env: { rootDomain: 'palette.example.com' } },
      mongo: external
        ? {
            internal: false,
            databaseUrl: external.databaseUrl,
            databasePassword: Buffer.from(external.password).toString('base64'),
          }
        : { internal: true, replicas: 3 },
    }),
  ]
}

export function secret(name: string, data: Readonly<Record<string, string>>): KubernetesObject {
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: NAMESPACE },
    type: 'Opaque',
    data: Object.fromEntries(encoded),
  }
}

function configMap(name: string, data: Readonly<Record<string, string>>): KubernetesObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: NAMESPACE }, data }
}

function namespace(name: string): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
}

export function deployment(name: string, replicas: number): KubernetesObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: NAMESPACE, labels: { app: 'spectro-hubble' } },
    spec: { replicas, selector: { matchLabels: { component: name } }, template: podTemplate(name) },
  }
}

function statefulSet(name: string, replicas: number): KubernetesObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      replicas,
      serviceName: name,
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: { component: name } },
      template: podTemplate(name),
    },
  }
}

function podTemplate(name: string, restartPolicy?: string): object {
  const container = { name, image: `registry.example.com/${name}:1` }
  return {
    metadata: { labels: { component: name } },
    spec: { containers: [container], ...(restartPolicy ? { restartPolicy } : {}) },
  }
}

/** Palette's chart calls the variables of the root account one way, VerteX' another; only the latter has TLS. */
function mongoStatefulSet(edition: 'palette' | 'vertex', tls: boolean, port = 27017): KubernetesObject {
  const prefix = edition === 'vertex' ? 'MONGODB_INITDB_ROOT' : 'MONGO_INITDB_ROOT'
  const secretKeyRef = { name: 'spectromongosecret', key: 'mongoRootPassword' }
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'mongo', namespace: NAMESPACE, labels: { app: 'spectro', role: 'mongo' } },
    spec: {
      replicas: 3,
      serviceName: 'mongo',
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: { app: 'spectro', role: 'mongo' } },
      template: {
        metadata: { labels: { app: 'spectro', role: 'mongo' } },
        spec: {
          containers: [
            { name: 'mongo-sidecar', image: 'registry.example.com/mongo-k8s-sidecar:1' },
            {
              name: 'mongo',
              image: 'registry.example.com/mongo:8',
              command: ['mongod', '--replSet', 'rs0', '--bind_ip_all'],
              ports: [{ containerPort: port }],
              env: [
                { name: `${prefix}_USERNAME`, value: 'root' },
                { name: `${prefix}_PASSWORD`, valueFrom: { secretKeyRef } },
              ],
            },
          ],
          volumes: [
            { name: 'spectromongokey', secret: { secretName: 'spectro-mongodb-replicaset-key' } },
            ...(tls ? [{ name: 'mongo-tls', secret: { secretName: 'mongo-tls' } }] : []),
          ],
        },
      },
    },
  }
}

/** As Helm writes it: JSON, gzip, base64, and the base64 of a Secret around it. */
function helmRecord(name: string, revision: number, status: string, config: object): KubernetesObject {
  const chart = { metadata: { name: 'spectro-mgmt-plane', version: '4.9.14' }, templates: [] }
  const record = { name, version: revision, namespace: 'default', info: { status }, chart, config }
  const packed = gzipSync(JSON.stringify(record)).toString('base64')
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: `sh.helm.release.v1.${name}.v${revision}`,
      namespace: 'default',
      labels: { name, owner: 'helm', status, version: String(revision) },
    },
    type: 'helm.sh/release.v1',
    data: { release: Buffer.from(packed).toString('base64') },
  }
}
