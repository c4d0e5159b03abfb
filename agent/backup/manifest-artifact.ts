import { z } from 'zod'

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const Size = z.int().nonnegative()
const Instant = z.iso.datetime()
const Name = z.string().min(1)
/** Never one of the server's own: a restore drops what is named here. */
const Database = z.string().regex(/^(?!(?:admin|config|local)$)[^.\0]+$/)

const packed = {
  file: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)
    .describe("Name of the object below the backup's folder"),
  compression: z.literal('zstd'),
  encryption: z
    .strictObject({
      scheme: z.literal('age').describe('age-encryption.org/v1, around the compressed bytes'),
      recipients: z
        .array(z.string().regex(/^sha256:[0-9a-f]{16}$/))
        .min(1)
        .describe('Who can decrypt: the first 8 bytes of the SHA-256 of each public key as it is written'),
    })
    .optional()
    .describe('Absent where the artifact is stored in clear'),
  bytes: Size.describe('Before packing'),
  sha256: Sha256.optional().describe(
    'Before packing; not written any more, because the content is described by its own sums',
  ),
  stored_bytes: Size.describe('As stored'),
  stored_sha256: Sha256.describe('As stored'),
}

const Collection = z.strictObject({
  database: Database,
  collection: Name,
  type: z.enum(['collection', 'view', 'timeseries']),
  documents: Size,
  bytes: Size.describe('Of BSON'),
  crc64: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .describe('CRC-64/ECMA over the documents in the order they were read, as in the archive'),
  digest: z
    .string()
    .regex(/^sip128:[0-9a-f]{32}$/)
    .optional()
    .describe('Over the documents in any order'),
  from: Instant.optional().describe('When its reading began, where it was not read at the instant of the others'),
  to: Instant.optional().describe('When its reading ended'),
})

const Consistency = z.strictObject({
  level: z.enum(['snapshot', 'none']).describe('snapshot: every collection as it was at one instant'),
  at: Instant.optional().describe('That instant'),
  from: Instant.describe('First read'),
  to: Instant.describe('Last read'),
  reason: z.string().optional().describe('Why it is not a snapshot'),
})

const Member = z.strictObject({
  host: z.string(),
  role: z
    .enum(['primary', 'secondary', 'hidden', 'standalone', 'router'])
    .describe('hidden: a secondary that serves nobody else; router: a mongos'),
})

const MongodbArtifact = z.strictObject({
  source: z.literal('mongodb'),
  ...packed,
  mongodb: z.strictObject({
    server_version: z.string(),
    feature_compatibility_version: z.string().optional(),
    consistency: Consistency,
    member: Member.optional().describe('The server that was read'),
    databases: z.array(Database),
    collections: z.array(Collection),
  }),
})

const KubernetesArtifact = z.strictObject({
  source: z.literal('kubernetes'),
  ...packed,
  kubernetes: z.strictObject({
    server_version: z.string(),
    from: Instant.describe('First read'),
    to: Instant.describe('Last read'),
    namespaces: z.array(Name),
    objects: z.record(Name, Size).describe('How many there are of each kind'),
    unread: z
      .array(z.strictObject({ what: Name, reason: z.string() }))
      .describe('What should be in the artifact and could not be read'),
  }),
})

/** One object of a backup, and what its source says of it. */
export const Artifact = z.discriminatedUnion('source', [MongodbArtifact, KubernetesArtifact])
export type ManifestArtifact = Readonly<z.infer<typeof Artifact>>
export type MongodbManifestArtifact = Readonly<z.infer<typeof MongodbArtifact>>

/** Those of one source, typed. */
export function mongodbArtifacts(artifacts: readonly ManifestArtifact[]): readonly MongodbManifestArtifact[] {
  return artifacts.filter((artifact) => artifact.source === 'mongodb')
}
