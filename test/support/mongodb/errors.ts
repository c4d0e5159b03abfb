/** Names that belong to the codes the double answers with. MongoDB manual, Error Codes. */
const CODE_NAMES: Readonly<Record<number, string>> = {
  2: 'BadValue',
  9: 'FailedToParse',
  13: 'Unauthorized',
  17: 'ProtocolError',
  18: 'AuthenticationFailed',
  20: 'IllegalOperation',
  26: 'NamespaceNotFound',
  27: 'IndexNotFound',
  43: 'CursorNotFound',
  48: 'NamespaceExists',
  59: 'CommandNotFound',
  67: 'CannotCreateIndex',
  72: 'InvalidOptions',
  73: 'InvalidNamespace',
  76: 'NoReplicationEnabled',
  85: 'IndexOptionsConflict',
  91: 'ShutdownInProgress',
  123: 'NotAReplicaSet',
  166: 'CommandNotSupportedOnView',
  175: 'QueryPlanKilled',
  189: 'PrimarySteppedDown',
  238: 'NotImplemented',
  239: 'SnapshotTooOld',
  246: 'SnapshotUnavailable',
  334: 'MechanismUnavailable',
  10107: 'NotWritablePrimary',
  10334: 'BSONObjectTooLarge',
  11000: 'DuplicateKey',
  11600: 'InterruptedAtShutdown',
  11602: 'InterruptedDueToReplStateChange',
  13436: 'NotPrimaryOrSecondary',
}

/** A command that fails: becomes `{ ok: 0, errmsg, code, codeName }`. */
export class CommandError extends Error {
  readonly code: number
  readonly codeName: string

  constructor(code: number, message: string) {
    super(message)
    this.name = 'CommandError'
    this.code = code
    this.codeName = CODE_NAMES[code] ?? `Location${code}`
  }
}

/** What the double does not play. It says so instead of guessing what a real server would answer. */
export function notPlayed(what: string): CommandError {
  return new CommandError(238, `${what} is not played by this test double`)
}
