import type { MongodbConfig } from '../../config/config.ts'
import type { Clock } from '../../core/clock.ts'
import { throwIfAborted } from '../../core/errors.ts'
import type {
  MongodbFacts,
  ReadOptions,
  RestorableSource,
  Source,
  SourceArtifact,
  SourceReadOptions,
} from '../source.ts'
import { ArchiveArtifact } from './archive-artifact.ts'
import { mongodbFailure } from './classify.ts'
import { connect, connectToMember, hostsIn } from './connect.ts'
import type { ExtendedWindow } from './history-window.ts'
import { extendWindow, keptHistory, parseReceipt, putBack } from './history-window.ts'
import { inspectArchive } from './inspect.ts'
import type { OpenMember } from './open-member.ts'
import { openMember } from './open-member.ts'
import { planReading } from './read-plan.ts'
import { openSession } from './reading-session.ts'
import { restoreArchive } from './restore-archive.ts'
import { digestTarget, dropDatabases, lookAtTarget } from './target.ts'

export interface MongodbSourceOptions {
  readonly mongodb: MongodbConfig
  readonly databases: readonly string[]
  /** Do not try to read everything at one instant; the text says why, for the manifest. */
  readonly withoutSnapshot?: string
  /** Bytes of documents; default: as fast as it goes. */
  readonly maxBytesPerSecond?: number
  /** History that the member is asked to keep while it is read, in seconds; default: what it keeps anyway. */
  readonly extendSnapshotWindow?: number
  readonly toolVersion: string
  readonly clock: Clock
}

/** Reads and proves what a mongodb source wrote; needs no server. */
export const mongodbFormat: Pick<Source, 'name' | 'inspect'> = { name: 'mongodb', inspect: inspectArchive }

/** Palette's MongoDB, read as one archive and written back from one. */
export function createMongodbSource(options: MongodbSourceOptions): RestorableSource<MongodbFacts> {
  return {
    name: 'mongodb',
    get target() {
      return hostsIn(options.mongodb)
    },
    read: (readOptions) => read(options, readOptions),
    release: (receipt, readOptions) => release(options.mongodb, receipt, readOptions),
    restore: (body, restoreOptions) => restoreArchive(options.mongodb, body, restoreOptions),
    inspect: (body, readOptions) => inspectArchive(body, readOptions),
    look: (databases, readOptions) => lookAtTarget(options.mongodb, databases, readOptions, options.clock),
    digest: (places, readOptions) => digestTarget(options.mongodb, places, readOptions, options.clock),
    dropDatabases: (names, readOptions) => dropDatabases(options.mongodb, names, readOptions),
  }
}

async function* read(
  options: MongodbSourceOptions,
  readOptions: SourceReadOptions,
): AsyncGenerator<SourceArtifact<MongodbFacts>> {
  const { signal, onProgress = () => undefined, receipts } = readOptions
  const { clock, toolVersion, databases, withoutSnapshot, maxBytesPerSecond, extendSnapshotWindow } = options
  await using member = await openMember(options.mongodb, signal)
  const { client, facts, notes } = member
  const replicated = facts.role !== 'standalone' && facts.role !== 'router'
  const wanted = replicated && withoutSnapshot === undefined ? extendSnapshotWindow : undefined
  const window = await extended(member, wanted, receipts)
  await using kept = openSession(client, clock)
  const reading = { session: kept.session, signal }
  try {
    const plan = await planReading(client, reading, {
      ...{ databases, replicated },
      ...(withoutSnapshot === undefined ? {} : { withoutSnapshot }),
    })
    const problem = window.problem === undefined ? [] : [window.problem]
    const historySeconds = plan.readPoint.at ? await keptHistory(client.db('admin'), reading) : undefined
    yield new ArchiveArtifact({
      ...{ client, reading, plan, member: facts, notes: [...notes, ...problem], toolVersion, clock, onProgress },
      ...(maxBytesPerSecond === undefined ? {} : { maxBytesPerSecond }),
      ...(historySeconds === undefined ? {} : { historySeconds }),
    })
  } finally {
    // What cannot be put back now stays on record, and the next run does it.
    await window.putBack().catch(() => undefined)
  }
}

async function extended(
  { client, facts }: OpenMember,
  seconds: number | undefined,
  receipts: SourceReadOptions['receipts'],
): Promise<ExtendedWindow> {
  if (seconds === undefined) return { putBack: () => Promise.resolve() }
  return extendWindow(client.db('admin'), facts.host, seconds, receipts)
}

async function release(mongodb: MongodbConfig, text: string, { signal }: ReadOptions): Promise<void> {
  const receipt = parseReceipt(text)
  const doing = `putting the snapshot window of ${receipt.host} back`
  try {
    await using set = await connect(mongodb, signal, { readPreference: 'primaryPreferred' })
    await using member = await connectToMember(mongodb, receipt.host, set, signal, {
      readPreference: 'secondaryPreferred',
    })
    await putBack(member.client.db('admin'), receipt)
  } catch (thrown) {
    throwIfAborted(signal, doing)
    throw mongodbFailure(thrown, doing)
  }
}
