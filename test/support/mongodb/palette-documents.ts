import { BSON, type Document, Long, type ObjectId, Timestamp } from 'mongodb'
import type { Random } from './random.ts'

/** What a document is made with: everything comes from here, so the same seed gives the same bytes. */
export interface Making {
  readonly random: Random
  readonly nextId: () => ObjectId
  readonly index: number
  /** Bytes the document should have, roughly; small kinds cannot grow to any size. */
  readonly bytes: number
}

export type Kind = 'entity' | 'event' | 'sample' | 'tiny' | 'config'

const EPOCH_MS = Date.UTC(2026, 0, 1)
const TENANT = '6548f3c0e1b2a90001c4d7e2'
const NAMES = ['edge', 'prod', 'staging', 'retail', 'core', 'lab', 'mobile', 'data', 'platform', 'infra'] as const
const PLACES = ['emea', 'apac', 'west', 'north', 'central', 'berlin', 'austin', 'pune', 'osaka', 'lyon'] as const
const CLOUDS = ['aws', 'azure', 'gcp', 'vsphere', 'maas', 'edge-native', 'openstack'] as const
const PACKS = ['kubernetes', 'cni-calico', 'csi-vsphere', 'ubuntu-vsphere', 'cert-manager', 'nginx', 'vault'] as const
const REASONS = ['NodeReady', 'ClusterProvisioned', 'PackInstalled', 'ScalingUp', 'HealthCheckFailed'] as const
const STATES = ['Running', 'Pending', 'Provisioning', 'Deleting', 'Failed'] as const
const MESSAGES = [
  'All control plane components are healthy',
  'Waiting for the node to join the cluster',
  'Pack values were merged with the cluster profile',
  'Machine health check has been remediated by the controller',
  'Certificate will be rotated before it expires',
] as const

/** One document of the kind, in the manner of Palette's own: metadata, aclmeta, spec, status. */
export function makeDocument(kind: Kind, making: Making): Document {
  switch (kind) {
    case 'tiny':
      return { _id: making.nextId(), uid: making.random.hex(12), at: dateAt(making), v: making.index }
    case 'sample':
      return sample(making)
    case 'event':
      return event(making)
    case 'config':
      return making.index === 0 ? systemConfig(making) : entity(making)
    case 'entity':
      return entity(making)
  }
}

/** The document by which an installation is recognised. */
function systemConfig(making: Making): Document {
  return {
    _id: making.nextId(),
    kind: 'systemconfig',
    metadata: { name: 'systemconfig', uid: making.nextId().toHexString(), creationTimestamp: new Date(EPOCH_MS) },
    spec: { installerMode: 'self-hosted', rootDomain: 'palette.example.com', isFips: false, releaseVersion: '4.8.12' },
  }
}

function entity(making: Making): Document {
  const { random, nextId, index, bytes } = making
  const id = nextId()
  const uid = id.toHexString()
  const name = `${random.pick(NAMES)}-${random.pick(PLACES)}-${index}`
  const items: Document[] = []
  const document = {
    _id: id,
    metadata: {
      uid,
      name,
      labels: { owner: 'spectro', environment: random.pick(NAMES), region: random.pick(PLACES) },
      annotations: { ownerUid: TENANT, scope: 'project', description: `${random.pick(MESSAGES)} (${name})` },
      creationTimestamp: dateAt(making),
      lastModifiedTimestamp: new Date(EPOCH_MS + index * 61_000),
      deletionTimestamp: null,
    },
    aclmeta: { tenantUid: TENANT, projectUid: nextId().toHexString(), ownerUid: TENANT, roles: ['admin', 'viewer'] },
    spec: {
      cloudType: random.pick(CLOUDS),
      replicas: random.between(1, 9),
      generation: Long.fromNumber(2 ** 33 + random.between(0, 1000)),
      cpuRatio: random.between(0, 400) / 64,
      autoRepair: random.chance(0.7),
      digest: new BSON.Binary(Buffer.from(random.hex(16), 'hex')),
      packs: items,
    },
    status: { state: random.pick(STATES), conditions: [condition(random, 0), condition(random, 1)], ready: true },
  }
  growTo(items, document, bytes, random)
  return document
}

/** Adds packs until the document is large enough; the large ones carry manifests as text. */
function growTo(items: Document[], document: Document, bytes: number, random: Random): void {
  let missing = bytes - BSON.calculateObjectSize(document)
  while (missing > 200) {
    const item = pack(random, missing > 4096 ? Math.min(missing, 400_000) : 0)
    items.push(item)
    missing -= BSON.calculateObjectSize(item) + 4
  }
}

function pack(random: Random, textBytes: number): Document {
  return {
    name: random.pick(PACKS),
    tag: `${random.between(1, 3)}.${random.between(0, 30)}.x`,
    uid: random.hex(24),
    digest: random.hex(16),
    type: 'spectro',
    layer: random.pick(['os', 'k8s', 'cni', 'csi', 'addon']),
    weight: random.between(0, 100),
    installed: random.chance(0.8),
    values: textBytes > 0 ? manifest(random, textBytes) : random.pick(MESSAGES),
  }
}

/** Text in the manner of a YAML manifest. */
function manifest(random: Random, bytes: number): string {
  const lines: string[] = []
  for (let length = 0; length < bytes; ) {
    const key = `${random.pick(PACKS)}-${random.pick(PLACES)}`
    const line = `    ${key}:\n      image: registry.example.com/${key}:v1.${random.between(0, 40)}\n      digest: ${random.hex(20)}\n`
    lines.push(line)
    length += line.length
  }
  return lines.join('')
}

function condition(random: Random, ordinal: number): Document {
  return {
    type: ordinal === 0 ? 'Ready' : random.pick(REASONS),
    status: random.chance(0.9) ? 'True' : 'False',
    message: `${random.pick(MESSAGES)} (${random.hex(20)})`,
    lastTransitionTime: new Date(EPOCH_MS + random.between(0, 10_000) * 1000),
  }
}

function event(making: Making): Document {
  const { random, nextId, bytes } = making
  const details: Document[] = []
  const document = {
    _id: nextId(),
    metadata: { uid: random.hex(24), creationTimestamp: dateAt(making) },
    aclmeta: { tenantUid: TENANT, projectUid: TENANT },
    involvedObject: {
      kind: 'spectrocluster',
      uid: random.hex(24),
      name: `${random.pick(NAMES)}-cluster`,
    },
    reason: random.pick(REASONS),
    severity: random.chance(0.9) ? 'Info' : 'Warning',
    message: `${random.pick(MESSAGES)} on node ip-10-${random.between(0, 255)}-${random.between(0, 255)}`,
    count: random.between(1, 20),
    source: { component: 'spectro-cluster-controller', host: `mongo-${random.between(0, 2)}` },
    details,
  }
  let missing = bytes - BSON.calculateObjectSize(document)
  while (missing > 200) {
    const detail = condition(random, 1)
    details.push(detail)
    missing -= BSON.calculateObjectSize(detail) + 4
  }
  return document
}

function sample(making: Making): Document {
  const { random, nextId, index } = making
  return {
    _id: nextId(),
    clusterUid: TENANT,
    resource: random.pick(['cpu', 'memory', 'disk', 'pods']),
    at: new Date(EPOCH_MS + index * 15_000),
    spec: { period: 15, unit: 'percent' },
    value: random.next() * 100,
    max: random.next() * 100,
  }
}

function dateAt({ index, random }: Making): Date {
  return new Date(EPOCH_MS + index * 60_000 + random.between(0, 59) * 1000)
}

/** Every type of BSON, those included that are deprecated or that few servers take. */
export function everyType({ nextId, index }: Making): Document {
  return {
    _id: nextId(),
    double: new BSON.Double(index),
    notANumber: new BSON.Double(Number.NaN),
    minusZero: new BSON.Double(-0),
    string: 'Füße €  𝄞',
    document: { nested: { 'dotted.key': 1, $dollar: 2 } },
    array: [1, [2, [3]], { four: 4 }],
    binary: new BSON.Binary(Buffer.from([0, 255, 1]), 128),
    uuid: new BSON.UUID('6b3bc1ce-6abd-41b3-b0c1-8b0ef5894277'),
    boolean: index % 2 === 0,
    date: new Date(-1),
    null: null,
    regex: new BSON.BSONRegExp('^a.*z$', 'im'),
    reference: new BSON.DBRef('projects', nextId(), 'hubbledb'),
    code: new BSON.Code('function () { return 1 }'),
    codeWithScope: new BSON.Code('return x', { x: 1 }),
    symbol: new BSON.BSONSymbol('symbol'),
    int32: new BSON.Int32(-index),
    timestamp: new Timestamp({ t: 1_767_225_600, i: index + 1 }),
    int64: Long.fromString('9223372036854775807'),
    decimal: BSON.Decimal128.fromString('1.000E-3'),
    minKey: new BSON.MinKey(),
    maxKey: new BSON.MaxKey(),
  }
}
