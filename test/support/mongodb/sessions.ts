import { Binary } from 'mongodb'
import { isRecord, recordArgument } from './arguments.ts'
import type { Request } from './wire.ts'

/** Sessions that clients have used and not ended. MongoDB manual, Server Sessions; endSessions. */
export class Sessions {
  readonly #open = new Set<string>()

  get size(): number {
    return this.#open.size
  }

  /** Any command that names a session makes it. */
  use(request: Request): string | undefined {
    const key = keyOf(recordArgument(request.fields, 'lsid'))
    if (key !== undefined && request.name !== 'endSessions') this.#open.add(key)
    return key
  }

  /** The sessions of an `endSessions` command, which are open no more. */
  end({ fields }: Request): readonly string[] {
    const asked: readonly unknown[] = Array.isArray(fields['endSessions']) ? fields['endSessions'] : []
    const keys = asked.flatMap((one) => (isRecord(one) ? (keyOf(one) ?? []) : []))
    for (const key of keys) this.#open.delete(key)
    return keys
  }
}

function keyOf(session: Readonly<Record<string, unknown>>): string | undefined {
  const id = session['id']
  return id instanceof Binary ? id.toString('hex') : undefined
}
