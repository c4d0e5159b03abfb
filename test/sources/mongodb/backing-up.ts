import type { MongodbTls } from '../../../agent/config/config.ts'
import type { Clock } from '../../../agent/core/clock.ts'
import { systemClock } from '../../../agent/core/clock.ts'
import { Secret } from '../../../agent/core/secret.ts'
import type { MongodbSourceOptions } from '../../../agent/sources/mongodb/mongodb-source.ts'
import { createMongodbSource } from '../../../agent/sources/mongodb/mongodb-source.ts'
import type { MongodbFacts, RestorableSource, SourceReadOptions } from '../../../agent/sources/source.ts'

export const never = (): AbortSignal => new AbortController().signal

export interface BackUpOptions extends Partial<Pick<MongodbSourceOptions, 'databases' | 'withoutSnapshot'>> {
  readonly maxBytesPerSecond?: number
  readonly extendSnapshotWindow?: number
  readonly clock?: Clock
  readonly caCert?: string
  readonly tls?: MongodbTls
  readonly signal?: AbortSignal
  readonly receipts?: SourceReadOptions['receipts']
  /** While the first chunk is in hand and the reading has not ended. */
  readonly onFirstChunk?: () => unknown
}

export interface BackedUp {
  readonly archive: Buffer
  readonly facts: MongodbFacts
  readonly warnings: readonly string[]
}

export function sourceOf(uri: string, options: BackUpOptions = {}): RestorableSource<MongodbFacts> {
  const {
    caCert,
    tls,
    databases = ['app'],
    clock = systemClock,
    withoutSnapshot,
    maxBytesPerSecond,
    extendSnapshotWindow,
  } = options
  return createMongodbSource({
    mongodb: { uri: new Secret(uri), ...(caCert === undefined ? {} : { caCert }), ...(tls ? { tls } : {}) },
    ...{ databases, clock, toolVersion: '0.0.0-test' },
    ...(withoutSnapshot === undefined ? {} : { withoutSnapshot }),
    ...(maxBytesPerSecond === undefined ? {} : { maxBytesPerSecond }),
    ...(extendSnapshotWindow === undefined ? {} : { extendSnapshotWindow }),
  })
}

/** Reads the one artifact of a MongoDB whole. */
export async function backUp(uri: string, options: BackUpOptions = {}): Promise<BackedUp> {
  const { signal = never(), receipts } = options
  for await (const artifact of sourceOf(uri, options).read({ signal, ...(receipts ? { receipts } : {}) })) {
    const chunks: Uint8Array[] = []
    for await (const chunk of artifact.body) {
      chunks.push(Buffer.from(chunk))
      if (chunks.length === 1) await options.onFirstChunk?.()
    }
    return { archive: Buffer.concat(chunks), facts: artifact.facts(), warnings: artifact.warnings() }
  }
  throw new Error('the source gave no artifact')
}
