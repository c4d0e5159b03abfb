import type { Db, Document } from 'mongodb'
import type { Connection } from './connect.ts'
import { COMMENT, QUESTION_MS } from './operation.ts'

/** What is known of one member of a replica set before it is asked itself. */
export interface Member {
  /** `host:port`, as the set calls it. */
  readonly host: string
  readonly role: 'primary' | 'secondary'
  readonly hidden: boolean
  /** Behind the primary; undefined where the set does not tell. */
  readonly lagMs?: number
  /** Why it must not be read although it may answer. */
  readonly unfit?: string
}

export interface SetView {
  /** Absent: no replica set. */
  readonly setName?: string
  /** A mongos, or a load balancer before some. */
  readonly router: boolean
  readonly members: readonly Member[]
  /** The last write of the primary, to measure others by. */
  readonly lastWrite?: Date
  /** What the user may not see, for who wonders why a hidden member is not read. */
  readonly blind?: string
}

/** MongoDB manual, Replica Set Member States. */
const PRIMARY = 1
const SECONDARY = 2

/**
 * Who there is. Hidden and delayed members stand only in the configuration and the status of the set, which need the
 * role clusterMonitor (or backup); without it `hello` names the rest (MongoDB manual, hello; replSetGetStatus; replSetGetConfig).
 */
export async function discoverMembers({ client }: Connection): Promise<SetView> {
  const admin = client.db('admin')
  const hello = await question(admin, { hello: 1 })
  const router = hello['msg'] === 'isdbgrid' || hello['serviceId'] !== undefined
  const setName: unknown = hello['setName']
  if (router || typeof setName !== 'string') return { router, members: [] }
  const lastWrite = dateOf(hello['lastWrite']?.lastWriteDate)
  const shared = { setName, router, ...(lastWrite && hello['isWritablePrimary'] === true ? { lastWrite } : {}) }
  try {
    const status = await question(admin, { replSetGetStatus: 1 })
    const { config } = await question(admin, { replSetGetConfig: 1 })
    return { ...shared, ...readStatus(status, config ?? {}) }
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    return { ...shared, members: readHello(hello), blind: `the state of the replica set cannot be seen: ${why}` }
  }
}

/** What a member says of itself. */
export function question(admin: Db, command: Document): Promise<Document> {
  // A command does not take the preference of its client.
  return admin.command({ ...command, comment: COMMENT, maxTimeMS: QUESTION_MS }, { readPreference: 'primaryPreferred' })
}

export function dateOf(value: unknown): Date | undefined {
  return value instanceof Date ? value : undefined
}

function readStatus(status: Document, config: Document): Pick<SetView, 'members' | 'lastWrite'> {
  const states: readonly Document[] = status['members'] ?? []
  const settings: readonly Document[] = config['members'] ?? []
  const dates = states.flatMap((state) => dateOf(state['optimeDate']) ?? [])
  const primary = dateOf(states.find(({ state }) => Number(state) === PRIMARY)?.['optimeDate'])
  const newest = primary ?? dates.toSorted((a, b) => b.getTime() - a.getTime())[0]
  const members = states.flatMap((state): Member[] => {
    const setting = settings.find(({ _id }) => Number(_id) === Number(state['_id']))
    if (setting?.['arbiterOnly'] === true) return []
    const at = dateOf(state['optimeDate'])
    const unfit = unfitness(state, setting)
    return [
      {
        host: String(state['name']),
        role: Number(state['state']) === PRIMARY ? 'primary' : 'secondary',
        hidden: setting?.['hidden'] === true,
        ...(at && newest ? { lagMs: Math.max(0, newest.getTime() - at.getTime()) } : {}),
        ...(unfit === undefined ? {} : { unfit }),
      },
    ]
  })
  return { members, ...(newest ? { lastWrite: newest } : {}) }
}

function unfitness(state: Document, setting: Document | undefined): string | undefined {
  if (![PRIMARY, SECONDARY].includes(Number(state['state']))) return `is ${String(state['stateStr'])}`
  if (Number(setting?.['secondaryDelaySecs'] ?? setting?.['slaveDelay'] ?? 0) > 0) return 'is delayed on purpose'
  if (setting?.['buildIndexes'] === false) return 'has no indexes to back up'
  return undefined
}

function readHello(hello: Document): Member[] {
  const hosts: readonly unknown[] = [...(hello['hosts'] ?? []), ...(hello['passives'] ?? [])]
  return hosts.map((host) => ({
    host: String(host),
    role: host === hello['primary'] ? 'primary' : 'secondary',
    hidden: false,
  }))
}
