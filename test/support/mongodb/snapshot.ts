import { Timestamp } from 'mongodb'
import { recordArgument } from './arguments.ts'
import { type ClusterTime, fromTimestamp } from './cluster-clock.ts'
import type { Collection, Version } from './collection.ts'
import type { Context } from './context.ts'
import { snapshotTooOld } from './cursors.ts'
import { CommandError } from './errors.ts'
import type { Request } from './wire.ts'

/** Commands that take read concern "snapshot" outside transactions. MongoDB manual, Read Concern "snapshot". */
const SNAPSHOT_COMMANDS = new Set(['find', 'aggregate', 'distinct'])

/** The instant a command is to read at, where it asks for a snapshot and the double serves them. */
export function snapshotTime(request: Request, { settings, store }: Context): ClusterTime | undefined {
  const readConcern = recordArgument(request.fields, 'readConcern')
  if (readConcern['level'] !== 'snapshot' || !settings.snapshotReads) return undefined
  if (settings.setName === undefined) {
    throw new CommandError(123, 'node needs to be a replica set member to use read concern')
  }
  if (!SNAPSHOT_COMMANDS.has(request.name)) {
    throw new CommandError(72, `read concern snapshot is not supported by ${request.name} outside transactions`)
  }
  const now = store.clock.current()
  const asked = readConcern['atClusterTime']
  // A member that is behind gives the latest it has.
  if (asked === undefined) return now - (BigInt(settings.member?.lagSeconds ?? 0) << 32n)
  if (!(asked instanceof Timestamp)) throw new CommandError(14, 'atClusterTime is not a timestamp')
  const time = fromTimestamp(asked)
  if (time > now) throw new CommandError(72, 'readConcern atClusterTime is greater than the current cluster time')
  if (time < store.historyStart()) throw snapshotTooOld()
  return time
}

/** What a collection held at the instant; nothing where there was no such collection. */
export function versionAt(
  collection: Collection | undefined,
  name: { readonly database: string; readonly collection: string },
  time: ClusterTime,
  { store }: Context,
): Version | undefined {
  const lost = store.lostAt(name.database, name.collection)
  if (lost !== undefined && lost > time) throw catalogChanged()
  if (!collection) return undefined
  // Capped collections give no snapshot before MongoDB 8.0. MongoDB manual, Read Concern "snapshot".
  if (collection.capped) {
    throw new CommandError(246, 'Reading from capped collections with readConcern snapshot is not supported')
  }
  const version = collection.at(time)
  if (!version) throw catalogChanged()
  return version
}

/** A collection that was made, dropped or renamed after the instant. MongoDB manual, Read Concern "snapshot". */
function catalogChanged(): CommandError {
  return new CommandError(246, 'Unable to read from a snapshot due to pending collection catalog changes')
}
