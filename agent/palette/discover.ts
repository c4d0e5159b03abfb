import type { PaletteConfig } from '../config/config.ts'
import { Failure, sentenceOf, toFailure } from '../core/errors.ts'
import type { KubernetesClient } from '../kubernetes/client.ts'
import type { HelmRelease } from '../kubernetes/helm-release.ts'
import { currentRecord, readHelmRelease } from '../kubernetes/helm-release.ts'
import type { KubernetesObject } from '../kubernetes/object.ts'
import { CONFIG_MAPS, describeRef, SECRETS, STATEFUL_SETS, textAt, valueAt } from '../kubernetes/object.ts'
import { externalMongodb, internalMongodb } from './discover-mongodb.ts'
import { Facts } from './facts.ts'
import type { Edition, Installation } from './installation.ts'
import type { MongodbWorkload } from './stateful-set.ts'
import { readWorkload } from './stateful-set.ts'

/** Names that Palette's chart gives (Palette and VerteX 4.x). */
const VERSION_CONFIG_MAP = 'spectro-mgmt-version'
const VERSION_KEY = 'spectro-mgmt-version-current'
const MANAGEMENT_CHART = 'spectro-mgmt-plane'
const MONGODB_LABELS = 'app=spectro,role=mongo'
export const MONGODB_TLS_SECRET = 'mongo-tls'

export interface DiscoverOptions {
  readonly client: KubernetesClient
  readonly palette: PaletteConfig
  readonly signal: AbortSignal
}

/**
 * Finds out about the installation what the file does not say. What the file says wins. Rejects only where MongoDB cannot
 * be reached without what is missing; everything else that cannot be read is named in `problems`.
 */
export async function discover(options: DiscoverOptions): Promise<Installation> {
  const { client, palette } = options
  const { namespace } = palette
  const facts = new Facts()
  facts.add('namespace', namespace, 'configuration')
  const version = await discoverVersion(options, facts)
  const release = await attempt(facts, () => findRelease(options, facts))
  const workload = await findWorkload(options, facts)
  const edition = await discoverEdition(options, workload, facts)
  const external = valueAt(release?.values, 'mongo', 'internal') === false
  if (palette.mongodb) facts.add('mongodb', 'uri', 'configuration')
  const mongodb =
    palette.mongodb ??
    (external && release
      ? externalMongodb(release, palette.mongodbOverrides, facts)
      : await internalMongodb({ ...options, workload: workload ?? absent(namespace, client) }, facts))
  return {
    namespace,
    ...(edition === undefined ? {} : { edition }),
    ...(version === undefined ? {} : { version }),
    ...(workload ? { statefulSet: workload.name } : {}),
    mongodb,
    certificates: facts.certificates,
    facts: facts.list,
    problems: facts.problems,
  }
}

/** What is only good to know must not keep a backup from being made. */
async function attempt<T>(facts: Facts, find: () => Promise<T | undefined>): Promise<T | undefined> {
  if (facts.isUnreachable) return undefined
  try {
    return await find()
  } catch (thrown) {
    const failure = toFailure(thrown)
    if (failure.code === 'cancelled') throw failure
    // It has been tried for as long as makes sense: not once more for each question.
    if (failure.code === 'unreachable' || failure.code === 'unavailable') facts.isUnreachable = true
    facts.problem(sentenceOf(failure))
    return undefined
  }
}

async function discoverVersion(
  { client, palette, signal }: DiscoverOptions,
  facts: Facts,
): Promise<string | undefined> {
  if (palette.paletteVersion !== undefined) {
    facts.add('version', palette.paletteVersion, 'configuration')
    return palette.paletteVersion
  }
  const ref = { resource: CONFIG_MAPS, namespace: palette.namespace, name: VERSION_CONFIG_MAP }
  const found = await attempt(facts, async () => {
    const configMap = await client.find(ref, { signal })
    const version = textAt(configMap, 'data', VERSION_KEY)?.trim()
    if (version === undefined || version === '') {
      const why = configMap ? `has no key ${VERSION_KEY}` : 'does not exist'
      facts.problem(
        `${describeRef(ref)} ${why}: the version of Palette is unknown. Set provider.palette.palette_version.`,
      )
    }
    return version
  })
  facts.add('version', found || undefined, describeRef(ref))
  return found || undefined
}

/** The StatefulSet of the configured name, or the only one with the labels of Palette's MongoDB. */
async function findWorkload(options: DiscoverOptions, facts: Facts): Promise<MongodbWorkload | undefined> {
  const { client, palette, signal } = options
  const { namespace } = palette
  const name = palette.mongodbOverrides.statefulSet ?? 'mongo'
  const ref = { resource: STATEFUL_SETS, namespace, name }
  const find = async (): Promise<KubernetesObject | undefined> => {
    const named = await client.find(ref, { signal })
    if (named || palette.mongodbOverrides.statefulSet !== undefined) return named
    return await findLabelled(options)
  }
  // Without a connection string in the file there is nothing to do without it.
  const found = palette.mongodb ? await attempt(facts, find) : await find().catch(whereRightsEnd)
  if (!found) return undefined
  const workload = readWorkload(found, namespace)
  const from = describeRef({ ...ref, name: found.metadata.name })
  facts.add('mongodb.members', workload.members.join(', '), from)
  facts.add('mongodb.replica_set', workload.replicaSet, from)
  return workload
}

/** In a namespace that is not Palette's there are no rights either: the file may be wrong, not the Role. */
function whereRightsEnd(thrown: unknown): never {
  const { code, message, hint = '' } = toFailure(thrown)
  if (code !== 'permission') throw thrown
  const other = 'If Palette is not there, correct provider.palette.namespace.'
  throw new Failure(message, { code, hint: `${hint} ${other}`, cause: thrown })
}

/** A right that only an installation with another name needs. */
async function findLabelled({ client, palette, signal }: DiscoverOptions): Promise<KubernetesObject | undefined> {
  const found: KubernetesObject[] = []
  try {
    const list = client.list(STATEFUL_SETS, palette.namespace, { signal, labelSelector: MONGODB_LABELS })
    for await (const object of list) found.push(object)
  } catch (thrown) {
    if (toFailure(thrown).code !== 'permission') throw thrown
  }
  return found.length === 1 ? found[0] : undefined
}

/**
 * Palette and VerteX are one chart. What differs to the eye is the name of a variable and the TLS of MongoDB; neither is
 * promised, so where the two do not agree the edition stays unknown.
 */
async function discoverEdition(
  { palette }: DiscoverOptions,
  workload: MongodbWorkload | undefined,
  facts: Facts,
): Promise<Edition | undefined> {
  if (palette.edition !== undefined) {
    facts.add('edition', palette.edition, 'configuration')
    return palette.edition
  }
  if (!workload) return undefined
  const tls = workload.mountsSecret(MONGODB_TLS_SECRET)
  const vertex = workload.rootVariables.some((name) => name.startsWith('MONGODB_'))
  const plain = workload.rootVariables.some((name) => name.startsWith('MONGO_'))
  if (tls && vertex && !plain) {
    facts.add('edition', 'vertex', `MongoDB mounts Secret ${MONGODB_TLS_SECRET} and has MONGODB_INITDB_ROOT_*`)
    return 'vertex'
  }
  if (!tls && plain && !vertex) {
    facts.add('edition', 'palette', 'MongoDB has no TLS Secret and has MONGO_INITDB_ROOT_*')
    return 'palette'
  }
  facts.problem(
    'Whether this is Palette or VerteX does not show. Set provider.palette.edition, so that a restore can refuse the other edition.',
  )
  return undefined
}

/** The release of the management plane, for the values that matter later. */
async function findRelease(options: DiscoverOptions, facts: Facts): Promise<HelmRelease | undefined> {
  const { client, palette, signal } = options
  for (const { namespace, name } of palette.kubernetes.helmReleases) {
    const records: KubernetesObject[] = []
    const labelSelector = `owner=helm,name=${name}`
    for await (const record of client.list(SECRETS, namespace, { signal, labelSelector })) records.push(record)
    const current = currentRecord(records)
    const release = current ? await readHelmRelease(current) : undefined
    if (release?.chart !== MANAGEMENT_CHART) continue
    const from = `Helm release ${namespace}/${name}`
    facts.add(
      'chart',
      `${release.chart} ${release.chartVersion}, revision ${release.revision}, ${release.status}`,
      from,
    )
    facts.add('root_domain', textAt(release.values, 'config', 'env', 'rootDomain'), from)
    facts.add('installation_mode', textAt(release.values, 'config', 'installationMode'), from)
    const internal = valueAt(release.values, 'mongo', 'internal')
    if (typeof internal === 'boolean') facts.add('mongodb.internal', String(internal), from)
    return release
  }
  return undefined
}

function absent(namespace: string, client: KubernetesClient): never {
  throw new Failure(`looking for Palette's MongoDB: there is no StatefulSet ${namespace}/mongo at ${client.server}`, {
    code: 'not_found',
    hint:
      'Check provider.palette.namespace. A MongoDB under another name is named by provider.palette.mongodb.stateful_set, ' +
      'one outside the cluster by provider.palette.mongodb.uri.',
  })
}
