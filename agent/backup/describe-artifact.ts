import type { Measured } from '../pack/measure.ts'
import type { SourceFacts } from '../sources/source.ts'
import type { ManifestArtifact } from './manifest-artifact.ts'

export interface PackedFacts {
  readonly file: string
  readonly before: Pick<Measured, 'bytes'>
  readonly after: Measured
  readonly encryption?: ManifestArtifact['encryption']
}

/** What the manifest says of an artifact. */
export function describeArtifact(
  facts: SourceFacts,
  { file, before, after, encryption }: PackedFacts,
): ManifestArtifact {
  const packed = {
    file,
    compression: 'zstd' as const,
    ...(encryption ? { encryption } : {}),
    bytes: before.bytes,
    stored_bytes: after.bytes,
    stored_sha256: after.sha256,
  }
  if (facts.source === 'mongodb') {
    const { serverVersion, featureCompatibilityVersion: fcv, consistency, member, databases, collections } = facts
    return {
      source: 'mongodb',
      ...packed,
      mongodb: {
        server_version: serverVersion,
        ...(fcv === undefined ? {} : { feature_compatibility_version: fcv }),
        consistency,
        ...(member ? { member } : {}),
        databases: [...databases],
        collections: [...collections],
      },
    }
  }
  const { serverVersion, from, to, namespaces, objects, unread } = facts
  return {
    source: 'kubernetes',
    ...packed,
    kubernetes: {
      server_version: serverVersion,
      from,
      to,
      namespaces: [...namespaces],
      objects: { ...objects },
      unread: [...unread],
    },
  }
}

/** Whether its source could give everything. */
export function isWhole(artifact: ManifestArtifact): boolean {
  return artifact.source !== 'kubernetes' || artifact.kubernetes.unread.length === 0
}
