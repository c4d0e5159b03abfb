import { Failure, type FailureData, failureData, toFailure } from '../core/errors.ts'
import type { BackupSummary } from '../core/events.ts'
import type { Secret } from '../core/secret.ts'
import type { Location } from '../locations/location.ts'
import { decrypt } from '../pack/age/decrypt.ts'
import { decompress } from '../pack/decompress.ts'
import { Measure, type Measured } from '../pack/measure.ts'
import type { CollectionFacts, Inspection, ReadOptions, Source } from '../sources/source.ts'
import { readManifest } from './catalog.ts'
import { artifactKey } from './keys.ts'
import type { Manifest } from './manifest.ts'
import type { ManifestArtifact, MongodbManifestArtifact } from './manifest-artifact.ts'
import { mongodbArtifacts } from './manifest-artifact.ts'

/**
 * What a verification proves, each with all before it:
 * - `stored`   every artifact is there with its size
 * - `content`  its bytes are those that were written: read back whole, SHA-256
 * - `decode`   it unpacks, and holds every document it should: zstd and archive checksums, counts per collection
 */
export const VERIFY_LEVELS = ['stored', 'content', 'decode'] as const
export type VerifyLevel = (typeof VERIFY_LEVELS)[number]

export interface VerifyCheck {
  readonly level: VerifyLevel
  readonly file: string
  readonly ok: boolean
  readonly failure?: FailureData
}

export interface VerifyOutcome {
  readonly backupId: string
  readonly policy: string
  readonly location: string
  readonly ok: boolean
  readonly checks: readonly VerifyCheck[]
  readonly documents: number
}

export interface UnpackOptions extends ReadOptions {
  /** Text of an age identity file, for artifacts that are encrypted. */
  readonly identity?: Secret
}

export interface VerifyOptions extends UnpackOptions {
  readonly clusterName: string
  readonly level: VerifyLevel
  /** Those that know the format of the artifacts. */
  readonly sources: readonly Pick<Source, 'name' | 'inspect'>[]
}

/** Proves one backup up to the wanted level; the outcome lists every check, and stops at the first failed one of a file. */
export async function verifyBackup(
  location: Location,
  backup: BackupSummary,
  options: VerifyOptions,
): Promise<VerifyOutcome> {
  const manifest = await readManifest(location, options, backup, options)
  const checks: VerifyCheck[] = []
  for (const artifact of manifest.artifacts) {
    for (const level of VERIFY_LEVELS.slice(0, VERIFY_LEVELS.indexOf(options.level) + 1)) {
      // Decoding reads the content as well and proves it on the way: no need to fetch it twice.
      if (level === 'content' && options.level === 'decode') continue
      const check = await runCheck(level, location, manifest, artifact, options)
      checks.push(check)
      if (!check.ok) break
    }
  }
  const ok = checks.every((check) => check.ok)
  const documents = mongodbArtifacts(manifest.artifacts)
    .flatMap(({ mongodb }) => mongodb.collections)
    .reduce((sum, collection) => sum + collection.documents, 0)
  const { backupId, policy } = backup
  return { backupId, policy, location: location.name, ok, checks, documents }
}

async function runCheck(
  level: VerifyLevel,
  location: Location,
  manifest: Manifest,
  artifact: ManifestArtifact,
  options: VerifyOptions,
): Promise<VerifyCheck> {
  const { file } = artifact
  try {
    const key = artifactKey(options.clusterName, manifest.policy, manifest.backup_id, file)
    if (level === 'stored') await checkStored(location, key, artifact, options)
    if (level === 'content') await checkContent(location, key, artifact, options)
    if (level === 'decode') await checkDecode(location, key, artifact, options)
    return { level, file, ok: true }
  } catch (thrown) {
    if (options.signal.aborted) throw thrown
    return { level, file, ok: false, failure: failureData(toFailure(thrown, `verifying ${file}`)) }
  }
}

async function checkStored(
  location: Location,
  key: string,
  artifact: ManifestArtifact,
  options: ReadOptions,
): Promise<void> {
  const entry = await location.stat(key, options)
  if (!entry) throw new Failure(`${key} in ${location.name} is missing`, { code: 'damaged' })
  if (entry.sizeBytes === artifact.stored_bytes) return
  throw new Failure(
    `${key} in ${location.name} has ${entry.sizeBytes} bytes, its manifest says ${artifact.stored_bytes}`,
    { code: 'damaged' },
  )
}

async function checkContent(
  location: Location,
  key: string,
  artifact: ManifestArtifact,
  options: ReadOptions,
): Promise<void> {
  const stored = new Measure()
  for await (const _ of stored.through(location.get(key, options)));
  compareStored(`${key} in ${location.name}`, stored.result(), artifact)
}

async function checkDecode(
  location: Location,
  key: string,
  artifact: ManifestArtifact,
  options: VerifyOptions,
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

/** An artifact unpacked, and a way to ask at its end whether it was what its manifest says. */
export function openArtifact(
  location: Location,
  key: string,
  artifact: ManifestArtifact,
  options: UnpackOptions,
): { readonly body: AsyncIterable<Uint8Array>; prove(): void } {
  const where = `${key} in ${location.name}`
  const stored = new Measure()
  const raw = new Measure()
  const packed = stored.through(location.get(key, options))
  const opened = artifact.encryption ? decrypt(packed, options.identity, where) : packed
  return {
    body: raw.through(named(where, decompress(opened))),
    prove() {
      compareStored(where, stored.result(), artifact)
      const { bytes, sha256 } = raw.result()
      if (bytes === artifact.bytes && sha256 === artifact.sha256) return
      throw new Failure(`${where} unpacks to something else than was packed`, { code: 'damaged' })
    },
  }
}

function compareStored(where: string, found: Measured, artifact: ManifestArtifact): void {
  if (found.bytes === artifact.stored_bytes && found.sha256 === artifact.stored_sha256) return
  const hint = 'Restore from another location or an older backup, and check the disk this location keeps it on.'
  throw new Failure(
    found.bytes === artifact.stored_bytes
      ? `${where} is damaged: its SHA-256 is not the one in its manifest`
      : `${where} is damaged: ${found.bytes} bytes could be read of ${artifact.stored_bytes}`,
    { code: 'damaged', hint },
  )
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
    throw new Failure(
      `${where}: ${database}.${collection} holds ${facts?.documents ?? 'no'} documents, its manifest says ${documents}`,
      { code: 'damaged' },
    )
  }
}

/** What goes wrong on the way names the artifact. */
async function* named(where: string, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (thrown) {
    throw inArtifact(where, thrown)
  }
}

function inArtifact(where: string, thrown: unknown): Failure {
  const failure = toFailure(thrown)
  if (failure.code === 'cancelled' || failure.message.includes(where)) return failure
  const { code, retryable, hint } = failure
  return new Failure(`${where}: ${failure.message}`, { code, retryable, cause: thrown, ...(hint ? { hint } : {}) })
}
