import { z } from 'zod'
import { Failure } from '../core/errors.ts'
import type { BackupFacts } from '../core/events.ts'

/** The manifest format that this version writes, and the newest it reads. */
export const FORMAT_VERSION = 1

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const Size = z.int().nonnegative()
const Instant = z.iso.datetime()

const Collection = z.strictObject({
  database: z.string().min(1),
  collection: z.string().min(1),
  type: z.enum(['collection', 'view', 'timeseries']),
  documents: Size,
  bytes: Size,
  crc64: z.string().regex(/^[0-9a-f]{16}$/),
  /** Over the documents in any order; absent in manifests of versions before 0.2. */
  digest: z
    .string()
    .regex(/^sip128:[0-9a-f]{32}$/)
    .optional(),
})

const Consistency = z.strictObject({
  level: z.enum(['snapshot', 'none']),
  at: Instant.optional(),
  from: Instant,
  to: Instant,
  reason: z.string().optional(),
})

const Artifact = z.strictObject({
  source: z.literal('mongodb'),
  /** The file below the backup's folder. */
  file: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
  compression: z.literal('zstd'),
  /** Before packing. */
  bytes: Size,
  sha256: Sha256,
  /** As stored. */
  stored_bytes: Size,
  stored_sha256: Sha256,
  mongodb: z.strictObject({
    server_version: z.string(),
    feature_compatibility_version: z.string().optional(),
    consistency: Consistency,
    databases: z.array(z.string().min(1)),
    collections: z.array(Collection),
  }),
})

const manifestShape = {
  format_version: z.literal(FORMAT_VERSION),
  tool_version: z.string(),
  backup_id: z.string(),
  run_id: z.string(),
  cluster_name: z.string(),
  policy: z.string(),
  started_at: Instant,
  finished_at: Instant,
  /** `partial`: a source could not give everything; `warnings` say what. */
  result: z.enum(['complete', 'partial']),
  warnings: z.array(z.string()),
  retention: z.strictObject({ retention_period_days: z.int().positive(), keep_minimum: z.int().positive() }),
  artifacts: z.array(Artifact).min(1),
}

/** The small JSON object that makes a backup exist. Never changes once written. */
export const Manifest = z.strictObject(manifestShape)
export type Manifest = Readonly<z.infer<typeof Manifest>>
export type ManifestArtifact = Readonly<z.infer<typeof Artifact>>

/** What metrics tell of a backup. */
export function factsOf({ artifacts }: Manifest): BackupFacts {
  return {
    sourceBytes: artifacts.reduce((sum, { bytes }) => sum + bytes, 0),
    storedBytes: artifacts.reduce((sum, { stored_bytes }) => sum + stored_bytes, 0),
    consistent: artifacts.every(({ mongodb }) => mongodb.consistency.level !== 'none'),
  }
}

/** More than any manifest needs; a larger object under a manifest's name is not one. */
export const LARGEST_MANIFEST_BYTES = 64 * 1024 * 1024

export function encodeManifest(manifest: Manifest): Buffer {
  return Buffer.from(`${JSON.stringify(Manifest.parse(manifest), null, 1)}\n`)
}

/** Rejects a manifest of a newer format, and anything malformed, naming `where` it lies. */
export function decodeManifest(bytes: Uint8Array, where: string): Manifest {
  const value = parseJson(bytes, where)
  const version = formatVersionOf(value)
  if (version !== undefined && version > FORMAT_VERSION) {
    throw new Failure(
      `reading the manifest ${where}: it has format version ${version}, this program reads up to ${FORMAT_VERSION}`,
      { code: 'unsupported', hint: 'Use the version of palette-backup that wrote it, or a newer one.' },
    )
  }
  const parsed = Manifest.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const place = issue && issue.path.length > 0 ? `${issue.path.join('.')}: ` : ''
  throw new Failure(`reading the manifest ${where}: ${place}${issue?.message ?? 'not a manifest'}`, { code: 'damaged' })
}

function parseJson(bytes: Uint8Array, where: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new Failure(`reading the manifest ${where}: it is not JSON`, { code: 'damaged', cause })
  }
}

function formatVersionOf(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null || !('format_version' in value)) return undefined
  return typeof value.format_version === 'number' ? value.format_version : undefined
}
