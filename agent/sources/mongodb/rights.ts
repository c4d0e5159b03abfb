import type { Db, Document } from 'mongodb'
import { ask, type Reading } from './operation.ts'

/** What a restore does in each database (MongoDB manual, "Privilege Actions"). */
const ACTIONS = ['find', 'insert', 'createCollection', 'createIndex', 'dropCollection', 'dropDatabase'] as const

/**
 * What the connected user may not do and a restore needs, as `insert on hubbledb`; undefined where the server does not
 * tell. MongoDB manual, connectionStatus: without access control nobody is authenticated and everything is allowed.
 */
export async function missingRights(
  admin: Db,
  databases: readonly string[],
  reading: Reading,
): Promise<readonly string[] | undefined> {
  const { authInfo } = await ask(admin, { connectionStatus: 1, showPrivileges: true }, reading)
  const users: unknown = authInfo?.authenticatedUsers
  if (!Array.isArray(users) || users.length === 0) return []
  const privileges: unknown = authInfo?.authenticatedUserPrivileges
  if (!Array.isArray(privileges)) return undefined
  return databases.flatMap((database) =>
    ACTIONS.filter((action) => !privileges.some((privilege) => allows(privilege, database, action))).map(
      (action) => `${action} on ${database}`,
    ),
  )
}

function allows({ resource, actions }: Document, database: string, action: string): boolean {
  if (!Array.isArray(actions)) return false
  if (resource?.anyResource === true) return actions.includes('anyAction') || actions.includes(action)
  const everywhere = resource?.db === '' || resource?.db === database
  return everywhere && resource?.collection === '' && actions.includes(action)
}
