import { Binary } from 'mongodb'
import type { Context, FieldsCommand } from '../context.ts'
import type { Fields } from '../encode.ts'
import { CommandError } from '../errors.ts'
import { ScramFailure, scramConversation } from '../scram.ts'

/** Commands that are answered before a client has authenticated. MongoDB manual, hello; SCRAM. */
const OPEN_TO_ALL = new Set([
  'hello',
  'isMaster',
  'ismaster',
  'ping',
  'buildInfo',
  'buildinfo',
  'connectionStatus',
  'saslStart',
  'saslContinue',
  'logout',
  'endSessions',
])

export function requireAuthentication(command: string, { settings, connection }: Context): void {
  if (!settings.account || connection.authenticated || OPEN_TO_ALL.has(command)) return
  throw new CommandError(13, `Command ${command} requires authentication`)
}

export const authenticationCommands: Readonly<Record<string, FieldsCommand>> = {
  saslStart: (request, context) => startConversation(request.fields, context),
  saslContinue: (request, context) => continueConversation(request.fields, context),
  logout(_request, { connection }) {
    connection.authenticated = false
    return {}
  },
  connectionStatus: (_request, { settings, connection }) => ({
    authInfo: {
      authenticatedUsers: connection.authenticated ? [{ user: settings.account?.username, db: 'admin' }] : [],
      authenticatedUserRoles: connection.authenticated ? [{ role: 'root', db: 'admin' }] : [],
    },
  }),
}

export function startConversation(fields: Readonly<Record<string, unknown>>, context: Context): Fields {
  const { settings, connection } = context
  if (fields['mechanism'] !== 'SCRAM-SHA-256') {
    throw new CommandError(334, `Unsupported mechanism ${String(fields['mechanism'])}`)
  }
  // Without accounts nobody can authenticate, as on a server that has no users.
  if (!settings.account) throw authenticationFailed()
  connection.conversation = scramConversation(settings.account)
  return continueConversation(fields, context)
}

function continueConversation(fields: Readonly<Record<string, unknown>>, { connection }: Context): Fields {
  const payload = fields['payload']
  if (!connection.conversation || !(payload instanceof Binary))
    throw new CommandError(17, 'no SASL session in progress')
  try {
    const answer = connection.conversation.next(Buffer.from(payload.buffer).toString('utf8'))
    if (answer.done) {
      connection.authenticated = true
      connection.conversation = undefined
    }
    return { conversationId: 1, done: answer.done, payload: new Binary(Buffer.from(answer.payload)) }
  } catch (error) {
    connection.conversation = undefined
    throw error instanceof ScramFailure ? authenticationFailed() : error
  }
}

/** One answer for whatever was wrong. MongoDB manual, Error Codes, 18. */
function authenticationFailed(): CommandError {
  return new CommandError(18, 'Authentication failed.')
}
