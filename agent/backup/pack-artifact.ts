import type { PolicyConfig } from '../config/config.ts'
import { encrypt } from '../pack/age/encrypt.ts'
import { fingerprint } from '../pack/age/recipients.ts'
import { compress } from '../pack/compress.ts'
import type { ManifestArtifact } from './manifest-artifact.ts'

export interface Packing {
  /** What packing adds to an artifact's name. */
  readonly ending: '.zst' | '.zst.age'
  readonly encryption?: NonNullable<ManifestArtifact['encryption']>
  pack(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>
}

/** How a policy packs its artifacts: compressed, and encrypted where it names recipients. */
export function packingOf({ compressionLevel: level, encryption }: PolicyConfig): Packing {
  if (!encryption) return { ending: '.zst', pack: (body) => compress(body, { level }) }
  const { ageRecipients: recipients } = encryption
  return {
    ending: '.zst.age',
    encryption: { scheme: 'age', recipients: recipients.map(fingerprint) },
    pack: (body) => encrypt(compress(body, { level }), recipients),
  }
}
