import { z } from 'zod'
import { Failure } from '../core/errors.ts'
import type { BackupFacts } from '../core/events.ts'
import { Artifact, mongodbArtifacts } from './manifest-artifact.ts'

/** The manifest format that this version writes, and the newest it reads. */
export const FORMAT_VERSION = 1

const Instant = z.iso.datetime()
const BACKUP_ID = /^\d{8}T\d{6}Z-[a-z2-7]{6}$/

const Installation = z.strictObject({
  edition: z.enum(['palette', 'vertex']).optional(),
  palette_version: z.string().min(1).optional(),
  namespace: z.string().min(1).optional(),
  found: z
    .array(z.strictObject({ name: z.string(), value: z.string(), from: z.string() }))
    .optional()
    .describe('What was found out about it, and where'),
})
export type Installation = Readonly<z.infer<typeof Installation>>

const manifestShape = {
  format_version: z.literal(FORMAT_VERSION),
  tool_version: z.string().describe('Of palette-backup'),
  backup_id: z.string().regex(BACKUP_ID),
  run_id: z.string(),
  cluster_name: z.string().min(1),
  policy: z.string().min(1),
  purpose: z
    .enum(['safety', 'import'])
    .optional()
    .describe('safety: made of the target before a restore changed it; import: from an archive of mongodump'),
  target: z.string().min(1).optional().describe('safety: host:port of the server it was made of'),
  installation: Installation.optional().describe('What was protected, as far as it is known'),
  started_at: Instant,
  finished_at: Instant,
  result: z.enum(['complete', 'partial']).describe('partial: a source could not give everything; warnings say what'),
  warnings: z.array(z.string()),
  retention: z
    .strictObject({ retention_period_days: z.int().positive(), keep_minimum: z.int().positive() })
    .describe('The rule in force when it was made'),
  artifacts: z.array(Artifact).min(1),
}

/** The small JSON object that makes a backup exist. Never changes once written. */
export const Manifest = z.strictObject(manifestShape)
export type Manifest = Readonly<z.infer<typeof Manifest>>

/** What metrics tell of a backup. */
export function factsOf({ artifacts }: Manifest): BackupFacts {
  return {
    sourceBytes: artifacts.reduce((sum, { bytes }) => sum + bytes, 0),
    storedBytes: artifacts.reduce((sum, { stored_bytes }) => sum + stored_bytes, 0),
    consistent: mongodbArtifacts(artifacts).every(({ mongodb }) => mongodb.consistency.level !== 'none'),
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
