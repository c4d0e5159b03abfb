import { Failure } from '../core/errors.ts'
import type { Entry, Location } from '../locations/location.ts'
import { measure } from '../pack/measure.ts'
import type { CollectionFacts, Inspection, ReadOptions, RestorableSource, Source } from '../sources/source.ts'
import { compareTarget } from './compare-target.ts'
import type { ManifestArtifact, MongodbManifestArtifact } from './manifest-artifact.ts'
import { compareStored, inArtifact, openArtifact, type UnpackOptions } from './unpack.ts'
import type { VerifyLevel } from './verify-level.ts'

/** Time for dropping scratch databases. */
const DROP_MS = 60_000

export interface ProveOptions extends UnpackOptions {
  /** Those that know the format of the artifacts. */
  readonly sources: readonly Pick<Source, 'name' | 'inspect'>[]
  /** For the level `restore`: a server, and what the names of databases there begin with that nobody else uses. */
  readonly scratch?: { readonly source: RestorableSource; readonly prefix: string }
}

/** Proves one level of one artifact, and not those before it; rejects with what is wrong. */
export async function proveArtifact(
  level: VerifyLevel,
  location: Location,
  key: string,
  artifact: ManifestArtifact,
  options: ProveOptions,
): Promise<void> {
  switch (level) {
    case 'stored':
      return await checkStored(location, key, artifact, options)
    case 'content':
      return await checkContent(location, key, artifact, options)
    case 'decode':
      return await checkDecode(location, key, artifact, options)
    case 'restore':
      // Objects of a cluster have no place where they could be tried without changing it.
      if (artifact.source !== 'mongodb') return await checkDecode(location, key, artifact, options)
      return await checkRestore(location, key, artifact, options)
  }
}

async function checkStored(
  location: Location,
  key: string,
  artifact: ManifestArtifact,
  options: ReadOptions,
): Promise<void> {
  const wrong = wrongSize(`${key} in ${location.name}`, await location.stat(key, options), artifact)
  if (wrong) throw wrong
}

/** What is wrong with an artifact of which a location says no more than this; undefined where nothing is. */
export function wrongSize(where: string, entry: Entry | undefined, artifact: ManifestArtifact): Failure | undefined {
  if (!entry) return new Failure(`${where} is missing`, { code: 'not_found' })
  if (entry.sizeBytes === artifact.stored_bytes) return undefined
  return new Failure(`${where} has ${entry.sizeBytes} bytes, its manifest says ${artifact.stored_bytes}`, {
    code: 'damaged',
  })
}

async function checkContent(
  location: Location,
  key: string,
  artifact: ManifestArtifact,
  options: ReadOptions,
): Promise<void> {
  compareStored(`${key} in ${location.name}`, await measure(location.get(key, options)), artifact)
}

async function checkDecode(
  location: Location,
  key: string,
  artifact: ManifestArtifact,
  options: ProveOptions,
): Promise<void> {
  const where = `${key} in ${location.name}`
  const unpacked = openArtifact(location, key, artifact, options)
  const source = options.sources.find(({ name }) => name === artifact.source)
  if (!source) {
    throw new Failure(`${where} is of the source ${artifact.source}, which the configuration does not name`, {
      code: 'config',
      hint: 'Verify it up to the level content, or with the configuration it was made with.',
    })
  }
  const found = await source.inspect(unpacked.body, options).catch((thrown: unknown) => {
    throw inArtifact(where, thrown)
  })
  unpacked.prove()
  compareFound(where, found, artifact)
}

async function checkRestore(
  location: Location,
  key: string,
  artifact: MongodbManifestArtifact,
  options: ProveOptions,
): Promise<void> {
  const where = `${key} in ${location.name}`
  const { scratch } = options
  if (!scratch) throw new Failure(`${where}: there is no server to restore it into`, { code: 'config' })
  const { source, prefix } = scratch
  const { databases, collections } = artifact.mongodb
  const scratchOf = new Map(databases.map((name, index) => [name, `${prefix}_${index}`]))
  const selected = collections.map((from) => ({
    from,
    place: { ...from, database: scratchOf.get(from.database) ?? `${prefix}_x` },
  }))
  const into = new Map(selected.map(({ from, place }) => [`${from.database}.${from.collection}`, place.database]))
  const drop = [...scratchOf.values()]
  const unpacked = openArtifact(location, key, artifact, options)
  try {
    const { expiring, problems } = await source.restore(unpacked.body, { ...options, into, drop })
    unpacked.prove()
    if (problems.length > 0) throw notTaken(where, problems)
    const places = selected.map(({ place }) => place)
    compareTarget(where, selected, await source.digest(places, options), expiring)
  } catch (thrown) {
    throw inArtifact(where, thrown)
  } finally {
    // Dropped although the run was cancelled; what a crash leaves is dropped by the next verification, by its name.
    await source.dropDatabases(drop, { signal: AbortSignal.timeout(DROP_MS) }).catch(() => undefined)
  }
}

/** Says something of the server that it was tried on, and nothing against the backup. */
function notTaken(where: string, problems: readonly string[]): Failure {
  return new Failure(`${where}: the server it was tried on does not take all of it: ${problems.join('; ')}`, {
    code: 'unsupported',
    hint: 'Try it on a MongoDB of the version that the backup was made of.',
  })
}

function compareFound(where: string, found: Inspection, artifact: ManifestArtifact): void {
  if (found.source === 'mongodb' && artifact.source === 'mongodb') {
    compareCollections(where, found.collections, artifact.mongodb.collections)
  } else if (found.source === 'kubernetes' && artifact.source === 'kubernetes') {
    compareObjects(where, found.objects, artifact.kubernetes.objects)
  } else {
    throw new Failure(`${where} holds what ${found.source} gives, its manifest says ${artifact.source}`, {
      code: 'damaged',
    })
  }
}

function compareObjects(
  where: string,
  found: Readonly<Record<string, number>>,
  expected: Readonly<Record<string, number>>,
): void {
  for (const kind of new Set([...Object.keys(found), ...Object.keys(expected)])) {
    if (found[kind] === expected[kind]) continue
    throw new Failure(`${where} holds ${found[kind] ?? 'no'} ${kind}, its manifest says ${expected[kind] ?? 'none'}`, {
      code: 'damaged',
    })
  }
}

function compareCollections(
  where: string,
  found: readonly CollectionFacts[],
  expected: MongodbManifestArtifact['mongodb']['collections'],
): void {
  const byName = new Map(found.map((facts) => [`${facts.database}.${facts.collection}`, facts]))
  for (const { database, collection, documents, crc64, digest } of expected) {
    const facts = byName.get(`${database}.${collection}`)
    if (facts?.documents === documents && facts.crc64 === crc64 && facts.digest === (digest ?? facts.digest)) continue
    const difference =
      facts?.documents === documents
        ? `other bytes in its ${documents} documents than its manifest says`
        : `${facts?.documents ?? 'no'} documents, its manifest says ${documents}`
    throw new Failure(`${where}: ${database}.${collection} holds ${difference}`, { code: 'damaged' })
  }
}
