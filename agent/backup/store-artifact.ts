import { Failure, toFailure } from '../core/errors.ts'
import { MIB } from '../core/units.ts'
import { ByteCount, Measure } from '../pack/measure.ts'
import type { SourceArtifact } from '../sources/source.ts'
import type { BackupOptions } from './backup-options.ts'
import { describeArtifact } from './describe-artifact.ts'
import { fanOut } from './fan-out.ts'
import type { ManifestArtifact } from './manifest-artifact.ts'
import { packingOf } from './pack-artifact.ts'
import type { StoreSession } from './store-session.ts'

/** Packed bytes that may wait for the slowest location. */
const WAITING_BYTES = 2 * MIB

/**
 * Reads one artifact once, packs it, and stores it in every location at the same time.
 * Throws what the source throws; a location's failure stays in its session.
 */
export async function storeArtifact(
  artifact: SourceArtifact,
  sessions: readonly StoreSession[],
  { policy }: BackupOptions,
): Promise<ManifestArtifact> {
  const { ending, encryption, pack } = packingOf(policy)
  const file = `${artifact.name}${ending}`
  // Not hashed: checksums and digests of its content are in its facts, and the packed bytes are.
  const raw = new ByteCount()
  const packed = new Measure()
  const source = guarded(raw.through(artifact.body))
  const packedStream = packed.through(pack(source.stream))
  const { branches, pump } = fanOut(packedStream, sessions.length, WAITING_BYTES)
  const receivers = sessions.map(async (session, index) => {
    const branch = branches[index]
    if (!branch) return
    try {
      const size = await session.store(file, branch.stream)
      const sent = packed.result().bytes
      if (size !== sent) throw sizeDiffers(session, file, size, sent)
    } catch (thrown) {
      // When the source has failed, every location fails with it; that is not the locations' fault.
      if (!source.failure) session.fail('store', toFailure(thrown, `storing ${file} in ${session.location.name}`))
    } finally {
      branch.leave()
    }
  })
  await Promise.all([pump(), ...receivers])
  if (source.failure) throw source.failure.thrown
  if (sessions.every((session) => session.failed)) {
    throw sessions[0]?.failed?.failure ?? new Failure(`storing ${file}: there is no location`, { code: 'internal' })
  }
  return describeArtifact(artifact.facts(), {
    file,
    before: raw.result(),
    after: packed.result(),
    ...(encryption ? { encryption } : {}),
  })
}

/** Remembers whether it was the source that failed, which ends the run, or only its receivers. */
function guarded(body: AsyncIterable<Uint8Array>): {
  stream: AsyncIterable<Uint8Array>
  failure?: { thrown: unknown }
} {
  const guard: { stream: AsyncIterable<Uint8Array>; failure?: { thrown: unknown } } = { stream: read() }
  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      yield* body
    } catch (thrown) {
      guard.failure = { thrown }
      throw thrown
    }
  }
  return guard
}

function sizeDiffers(session: StoreSession, file: string, size: number, sent: number): Failure {
  return new Failure(`storing ${file} in ${session.location.name}: it confirmed ${size} bytes, ${sent} were sent`, {
    code: 'damaged',
  })
}
