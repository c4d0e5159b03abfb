import type { MongodbConfig } from '../../config/config.ts'
import { Failure, throwIfAborted, toFailure } from '../../core/errors.ts'
import { formatDuration, SECOND_MS } from '../../core/units.ts'
import type { MemberFacts } from '../source.ts'
import { LARGEST_LAG_MS, rankMembers } from './choose-member.ts'
import { mongodbFailure } from './classify.ts'
import type { Connection, ConnectOptions } from './connect.ts'
import { connect, connectToMember, hostsOf } from './connect.ts'
import type { Member, SetView } from './members.ts'
import { dateOf, discoverMembers, question } from './members.ts'

/** A member that does not answer at once must not hold up the next one. */
const MEMBER_CONNECT_MS = 5 * SECOND_MS
const READING: ConnectOptions = { readPreference: 'secondaryPreferred', closeOnAbort: false }

export interface OpenMember extends Connection {
  readonly facts: MemberFacts
  /** What an operator should know about the choice. */
  readonly notes: readonly string[]
}

/**
 * Finds the member that is best read and connects to it alone: every cursor, and every answer about what there is, must
 * come from the same one. A connection string that names one member by `directConnection` has chosen already.
 */
export async function openMember(config: MongodbConfig, signal: AbortSignal): Promise<OpenMember> {
  const set = await connect(config, signal, { readPreference: 'primaryPreferred', closeOnAbort: false })
  let kept = false
  try {
    const view = await discoverMembers(set)
    if (view.setName === undefined || set.client.options.directConnection) {
      kept = true
      return { ...set, facts: { host: hostsOf(set.client), role: await roleOf(set, view) }, notes: [] }
    }
    return await tryMembers(config, set, view, signal)
  } catch (thrown) {
    throwIfAborted(signal, 'choosing a member of the replica set')
    throw mongodbFailure(thrown, 'choosing a member of the replica set')
  } finally {
    if (!kept) await set[Symbol.asyncDispose]()
  }
}

async function tryMembers(
  config: MongodbConfig,
  set: Connection,
  view: SetView,
  signal: AbortSignal,
): Promise<OpenMember> {
  const { members, passedOver } = rankMembers(view.members)
  const why = [...passedOver]
  for (const member of members) {
    const opened = await tryMember(config, set, member, view, signal)
    if (typeof opened !== 'string') {
      const { host } = member
      const isPrimary = opened.role === 'primary'
      const note = `read from the primary ${host}, because no secondary could be read: ${why.join('; ')}`
      return {
        ...opened.connection,
        facts: { host, role: isPrimary ? 'primary' : member.hidden ? 'hidden' : 'secondary' },
        notes: isPrimary && why.length > 0 ? [note] : [],
      }
    }
    why.push(`${member.host} ${opened}`)
  }
  throw new Failure(`no member of replica set ${view.setName} can be read: ${why.join('; ') || 'it names none'}`, {
    code: 'unavailable',
    retryable: true,
    hint: 'Check that the names the members have in the replica set can be reached from here, and rs.status().',
  })
}

/** The connection, or what is wrong with the member. It is asked itself: what the others say of it may be old. */
async function tryMember(
  config: MongodbConfig,
  set: Connection,
  { host }: Member,
  { setName, lastWrite }: SetView,
  signal: AbortSignal,
): Promise<{ connection: Connection; role: 'primary' | 'secondary' } | string> {
  let connection: Connection
  try {
    connection = await connectToMember(config, host, set, signal, { ...READING, connectMs: MEMBER_CONNECT_MS })
  } catch (thrown) {
    throwIfAborted(signal, `connecting to ${host}`)
    return `cannot be reached (${toFailure(thrown).message})`
  }
  try {
    const hello = await question(connection.client.db('admin'), { hello: 1 })
    const at = dateOf(hello['lastWrite']?.lastWriteDate)
    const lagMs = at && lastWrite ? lastWrite.getTime() - at.getTime() : 0
    const unfit =
      (hello['setName'] !== setName && `belongs to replica set ${String(hello['setName'])}`) ||
      (Number(hello['secondaryDelaySecs'] ?? hello['slaveDelay'] ?? 0) > 0 && 'is delayed on purpose') ||
      (hello['isWritablePrimary'] !== true && hello['secondary'] !== true && 'is neither primary nor secondary') ||
      (lagMs > LARGEST_LAG_MS && `is ${formatDuration(lagMs)} behind`)
    if (!unfit) return { connection, role: hello['isWritablePrimary'] === true ? 'primary' : 'secondary' }
    await connection[Symbol.asyncDispose]()
    return unfit
  } catch (thrown) {
    await connection[Symbol.asyncDispose]()
    throwIfAborted(signal, `asking ${host}`)
    return `does not answer (${mongodbFailure(thrown, 'hello').message})`
  }
}

async function roleOf({ client }: Connection, { router, setName }: SetView): Promise<MemberFacts['role']> {
  if (router) return 'router'
  if (setName === undefined) return 'standalone'
  const hello = await question(client.db('admin'), { hello: 1 })
  return hello['isWritablePrimary'] === true ? 'primary' : hello['hidden'] === true ? 'hidden' : 'secondary'
}
