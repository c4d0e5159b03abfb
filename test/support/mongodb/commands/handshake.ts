import { ObjectId } from 'mongodb'
import { isRecord, stringArgument } from '../arguments.ts'
import { toTimestamp } from '../cluster-clock.ts'
import type { Context, FieldsCommand } from '../context.ts'
import type { Fields } from '../encode.ts'
import { isPassive, type Member } from '../membership.ts'
import { MAX_MESSAGE_BYTES, type Request } from '../wire.ts'
import { startConversation } from './authentication.ts'

/** `maxWireVersion` of MongoDB 7.0. Wire Version and Wire Protocol Version, Driver Specifications. */
const MAX_WIRE_VERSION = 21

export const handshakeCommands: Readonly<Record<string, FieldsCommand>> = {
  hello: (request, context) => ({ isWritablePrimary: isPrimary(context), ...describe(request, context) }),
  isMaster: (request, context) => ({ ismaster: isPrimary(context), ...describe(request, context) }),
  ismaster: (request, context) => ({ ismaster: isPrimary(context), ...describe(request, context) }),
}

/**
 * MongoDB manual, hello. Without `topologyVersion`, so that clients poll instead of asking for a stream of answers.
 */
function describe(request: Request, context: Context): Fields {
  return {
    ...(request.fields['helloOk'] === true ? { helloOk: true } : {}),
    ...replicaSet(context),
    maxBsonObjectSize: 16 * 1024 * 1024,
    maxMessageSizeBytes: MAX_MESSAGE_BYTES,
    maxWriteBatchSize: 100_000,
    localTime: new Date(),
    logicalSessionTimeoutMinutes: 30,
    connectionId: context.connection.id,
    minWireVersion: 0,
    maxWireVersion: MAX_WIRE_VERSION,
    readOnly: false,
    ...authentication(request, context),
  }
}

function isPrimary({ settings: { member } }: Context): boolean {
  return !member || member.state === 'PRIMARY'
}

/** Hidden members and their delays are known only to who asks them. MongoDB manual, hello, "Replica Sets". */
function replicaSet({ settings, store }: Context): Fields {
  const { membership, member: self } = settings
  if (!membership || !self) return {}
  const shown = membership.members.filter(({ settings: { hidden } }) => !hidden)
  const addresses = (wanted: (member: Member) => boolean): readonly string[] =>
    shown.filter(wanted).map(({ address }) => address)
  const passives = addresses(({ settings }) => !settings.arbiter && isPassive(settings))
  const arbiters = addresses(({ settings }) => settings.arbiter === true)
  const { hidden, delaySeconds, arbiter } = self.settings
  const now = store.clock.current() - (BigInt(self.lagSeconds) << 32n)
  const opTime = { ts: toTimestamp(now), t: BigInt(membership.term) }
  const date = new Date(Number(now >> 32n) * 1000)
  return {
    hosts: addresses(({ settings }) => !settings.arbiter && !isPassive(settings)),
    ...(passives.length > 0 ? { passives } : {}),
    ...(arbiters.length > 0 ? { arbiters } : {}),
    setName: membership.setName,
    setVersion: 1,
    secondary: self.state === 'SECONDARY',
    ...(membership.primary ? { primary: membership.primary.address } : {}),
    ...(arbiter ? { arbiterOnly: true } : {}),
    ...(isPassive(self.settings) ? { passive: true } : {}),
    ...(hidden ? { hidden: true } : {}),
    ...(delaySeconds ? { secondaryDelaySecs: BigInt(delaySeconds) } : {}),
    me: self.address,
    ...(self.state === 'PRIMARY' ? { electionId: electionId(membership.term) } : {}),
    lastWrite: { opTime, lastWriteDate: date, majorityOpTime: opTime, majorityWriteDate: date },
  }
}

function electionId(term: number): ObjectId {
  return new ObjectId(`7fffffff${term.toString(16).padStart(16, '0')}`)
}

function authentication(request: Request, context: Context): Fields {
  const { fields } = request
  const account = context.settings.account
  const known = account && stringArgument(fields, 'saslSupportedMechs') === `admin.${account.username}`
  const speculative = fields['speculativeAuthenticate']
  return {
    ...(known ? { saslSupportedMechs: ['SCRAM-SHA-256'] } : {}),
    ...(isRecord(speculative) ? speculate(speculative, context) : {}),
  }
}

// A failed attempt is left out of the answer; the client then authenticates in the usual way and is told why.
function speculate(fields: Readonly<Record<string, unknown>>, context: Context): Fields {
  try {
    return { speculativeAuthenticate: startConversation(fields, context) }
  } catch {
    return {}
  }
}
