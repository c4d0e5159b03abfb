import { Binary } from 'mongodb'
import { recordArgument } from './arguments.ts'
import type { Fields } from './encode.ts'
import type { Request } from './wire.ts'

const MOST_SESSIONS = 1000

/**
 * Answers a write that a client sends again, after a lost connection, without doing it again: the session's last
 * `txnNumber` and its answer are remembered. MongoDB manual, Retryable Writes.
 */
export class Retries {
  readonly #last = new Map<string, { readonly transaction: string; readonly answer: Fields }>()

  once(request: Request, write: () => Fields): Fields {
    const session = recordArgument(request.fields, 'lsid')['id']
    const transaction = request.fields['txnNumber']
    if (!(session instanceof Binary) || transaction === undefined) return write()
    const key = session.toString('hex')
    const known = this.#last.get(key)
    if (known?.transaction === String(transaction)) return known.answer
    const answer = write()
    this.#last.delete(key)
    this.#last.set(key, { transaction: String(transaction), answer })
    const [oldest] = this.#last.keys()
    if (this.#last.size > MOST_SESSIONS && oldest !== undefined) this.#last.delete(oldest)
    return answer
  }
}
