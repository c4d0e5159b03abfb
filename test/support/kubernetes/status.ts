export interface Reply {
  readonly code: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer that is a `Status`, as the API server refuses. */
export function status(code: number, reason: string, message: string, headers?: Record<string, string>): Reply {
  const body = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code }
  return { code, body, ...(headers ? { headers } : {}) }
}

class Refusal extends Error {
  readonly reply: Reply

  constructor(reply: Reply) {
    super('refused')
    this.reply = reply
  }
}

export function refuse(code: number, reason: string, message: string): never {
  throw new Refusal(status(code, reason, message))
}

export function isRefusal(thrown: unknown): thrown is { readonly reply: Reply } {
  return thrown instanceof Refusal
}
