import { type ClusterTime, toTimestamp } from '../cluster-clock.ts'
import type { Context, FieldsCommand } from '../context.ts'
import type { Fields } from '../encode.ts'
import { CommandError } from '../errors.ts'
import { isPassive, type Member, type Membership, stateNumber } from '../membership.ts'
import type { Request } from '../wire.ts'

const HISTORY = 'minSnapshotHistoryWindowInSeconds'
const STARTED_MS = Date.now()

export const administrationCommands: Readonly<Record<string, FieldsCommand>> = {
  ping: () => ({}),
  endSessions: (request, { cursors, sessions }) => {
    cursors.killOf(sessions.end(request))
    return {}
  },
  refreshSessions: () => ({}),
  startSession: () => ({ timeoutMinutes: 30 }),
  buildInfo: (_request, context) => buildInfo(context),
  buildinfo: (_request, context) => buildInfo(context),
  getParameter,
  setParameter,
  serverStatus,
  getCmdLineOpts: () => ({ argv: ['mongod'], parsed: {} }),
  getLog: (request) => ({ totalLinesWritten: 0, log: request.fields['getLog'] === '*' ? undefined : [], names: [] }),
  replSetGetStatus,
  replSetGetConfig,
}

/** MongoDB manual, buildInfo. */
function buildInfo({ settings }: Context): Fields {
  return {
    version: settings.version,
    gitVersion: '0000000000000000000000000000000000000000',
    modules: [],
    sysInfo: 'deprecated',
    versionArray: [...settings.version.split('.').map(Number), 0],
    bits: 64,
    debug: false,
    maxBsonObjectSize: 16 * 1024 * 1024,
    storageEngines: ['wiredTiger'],
  }
}

/** MongoDB manual, getParameter: an unknown parameter is an error, `'*'` means all. */
function getParameter({ fields }: Request, { settings, store }: Context): Fields {
  const known: Fields = {
    featureCompatibilityVersion: { version: settings.version.split('.').slice(0, 2).join('.') },
    [HISTORY]: store.historySeconds,
    authenticationMechanisms: ['SCRAM-SHA-256'],
  }
  if (fields['getParameter'] === '*') return known
  const found = Object.fromEntries(Object.entries(known).filter(([name]) => name in fields))
  if (Object.keys(found).length === 0) throw new CommandError(72, 'no option found to get')
  return found
}

/** MongoDB manual, setParameter; the snapshot window is the one parameter that can be set here. */
function setParameter({ fields }: Request, { store }: Context): Fields {
  const seconds = fields[HISTORY]
  if (typeof seconds !== 'number' || seconds < 0) throw new CommandError(72, 'no option found to set')
  const was = store.historySeconds
  store.historySeconds = seconds
  return { was }
}

function serverStatus(_request: Request, { settings, connection }: Context): Fields {
  return {
    host: settings.address,
    version: settings.version,
    process: 'mongod',
    pid: BigInt(process.pid),
    uptime: (Date.now() - STARTED_MS) / 1000,
    localTime: new Date(),
    connections: { current: 1, available: 51_199, totalCreated: connection.id },
    storageEngine: { name: 'wiredTiger', supportsCommittedReads: true, persistent: true, backupCursorOpen: false },
    ...(settings.setName === undefined
      ? {}
      : { repl: { setName: settings.setName, isWritablePrimary: settings.member?.state === 'PRIMARY' } }),
  }
}

/** MongoDB manual, replSetGetStatus. */
function replSetGetStatus(_request: Request, { settings, store }: Context): Fields {
  const { membership, member: self } = settings
  if (!membership || !self) throw notReplicated()
  const now = store.clock.current()
  const uptime = Math.ceil((Date.now() - STARTED_MS) / 1000)
  const optime = { ts: toTimestamp(now), t: BigInt(membership.term) }
  return {
    set: membership.setName,
    date: new Date(),
    myState: stateNumber(self.state),
    term: BigInt(membership.term),
    optimes: { lastCommittedOpTime: optime, readConcernMajorityOpTime: optime, appliedOpTime: optime },
    members: membership.members.map((member) => ({
      _id: member.id,
      name: member.address,
      health: member.state === 'DOWN' ? 0 : 1,
      state: stateNumber(member.state),
      stateStr: member.state === 'DOWN' ? '(not reachable/healthy)' : member.state,
      uptime,
      ...(member.state === 'ARBITER' ? {} : optimeOf(member, now, membership)),
      ...(member === self ? { self: true } : {}),
    })),
  }
}

function optimeOf({ lagSeconds }: Member, now: ClusterTime, { term }: Membership): Fields {
  const ts = toTimestamp(now - (BigInt(lagSeconds) << 32n))
  return { optime: { ts, t: BigInt(term) }, optimeDate: new Date(ts.t * 1000) }
}

/** MongoDB manual, replSetGetConfig. */
function replSetGetConfig(_request: Request, { settings: { membership } }: Context): Fields {
  if (!membership) throw notReplicated()
  const members = membership.members.map(({ id, address, settings }) => ({
    _id: id,
    host: address,
    arbiterOnly: settings.arbiter ?? false,
    buildIndexes: settings.buildIndexes ?? true,
    hidden: settings.hidden ?? false,
    priority: settings.priority ?? (isPassive(settings) ? 0 : 1),
    votes: 1,
    secondaryDelaySecs: BigInt(settings.delaySeconds ?? 0),
  }))
  return { config: { _id: membership.setName, version: 1, term: membership.term, members } }
}

function notReplicated(): CommandError {
  return new CommandError(76, 'not running with --replSet')
}
