import { ObjectId } from 'mongodb'
import { isRecord, stringArgument } from '../arguments.ts'
import { toTimestamp } from '../cluster-clock.ts'
import type { Context, FieldsCommand } from '../context.ts'
import type { Fields } from '../encode.ts'
import { MAX_MESSAGE_BYTES, type Request } from '../wire.ts'
import { startConversation } from './authentication.ts'

const ELECTION_ID = new ObjectId('7fffffff0000000000000001')

/** `maxWireVersion` of MongoDB 7.0. Wire Version and Wire Protocol Version, Driver Specifications. */
const MAX_WIRE_VERSION = 21

export const handshakeCommands: Readonly<Record<string, FieldsCommand>> = {
  hello: (request, context) => ({ isWritablePrimary: true, ...describe(request, context) }),
  isMaster: (request, context) => ({ ismaster: true, ...describe(request, context) }),
  ismaster: (request, context) => ({ ismaster: true, ...describe(request, context) }),
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

function replicaSet({ settings, store }: Context): Fields {
  if (settings.setName === undefined) return {}
  const now = store.clock.current()
  const opTime = { ts: toTimestamp(now), t: 1n }
  const date = new Date(Number(now >> 32n) * 1000)
  return {
    hosts: [settings.address],
    setName: settings.setName,
    setVersion: 1,
    secondary: false,
    primary: settings.address,
    me: settings.address,
    electionId: ELECTION_ID,
    lastWrite: { opTime, lastWriteDate: date, majorityOpTime: opTime, majorityWriteDate: date },
  }
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
