import { Failure, toFailure } from '../core/errors.ts'
import type { Secret } from '../core/secret.ts'
import type { Location } from '../locations/location.ts'
import { decrypt } from '../pack/age/decrypt.ts'
import { decompress } from '../pack/decompress.ts'
import { ByteCount, Measure, type Measured } from '../pack/measure.ts'
import type { ReadOptions } from '../sources/source.ts'
import type { ManifestArtifact } from './manifest-artifact.ts'

export interface UnpackOptions extends ReadOptions {
  /** Text of an age identity file, for artifacts that are encrypted. */
  readonly identity?: Secret
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
  const raw = artifact.sha256 === undefined ? new ByteCount() : new Measure()
  const packed = stored.through(location.get(key, options))
  const opened = artifact.encryption ? decrypt(packed, options.identity, where) : packed
  return {
    body: raw.through(named(where, decompress(opened))),
    prove() {
      compareStored(where, stored.result(), artifact)
      const { bytes, sha256 }: Partial<Measured> = raw.result()
      if (bytes === artifact.bytes && sha256 === artifact.sha256) return
      throw new Failure(`${where} unpacks to something else than was packed`, { code: 'damaged' })
    },
  }
}

/** Rejects stored bytes that are not those the manifest names. */
export function compareStored(where: string, found: Measured, artifact: ManifestArtifact): void {
  if (found.bytes === artifact.stored_bytes && found.sha256 === artifact.stored_sha256) return
  const hint = 'Restore from another location or an older backup, and check the disk this location keeps it on.'
  throw new Failure(
    found.bytes === artifact.stored_bytes
      ? `${where} is damaged: its SHA-256 is not the one in its manifest`
      : `${where} is damaged: ${found.bytes} bytes could be read of ${artifact.stored_bytes}`,
    { code: 'damaged', hint },
  )
}

/** What goes wrong on the way names the artifact. */
async function* named(where: string, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (thrown) {
    throw inArtifact(where, thrown)
  }
}

export function inArtifact(where: string, thrown: unknown): Failure {
  const failure = toFailure(thrown)
  if (failure.code === 'cancelled' || failure.message.includes(where)) return failure
  const { code, retryable, hint } = failure
  return new Failure(`${where}: ${failure.message}`, { code, retryable, cause: thrown, ...(hint ? { hint } : {}) })
}
