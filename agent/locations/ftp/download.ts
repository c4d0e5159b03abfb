import { Failure } from '../../core/errors.ts'
import type { Retry } from '../retry.ts'
import type { FtpConnections } from './connections.ts'
import { sizeOf } from './folders.ts'
import { MEAGRE } from './transfer.ts'

export interface DownloadCall {
  readonly doing: string
  readonly signal: AbortSignal
  readonly failureOf: (thrown: unknown) => Failure
  /** Absent: what breaks is not gone on with. */
  readonly retry: Retry | undefined
}

interface Opened {
  readonly iterator: AsyncGenerator<Uint8Array>
  readonly first: IteratorResult<Uint8Array>
}

/**
 * The bytes of a file from an offset on: all of them, or a rejection. Where the connection breaks behind the first byte
 * it goes on at the next one, as long as each connection brings something and the file has its size.
 */
export async function* download(
  connections: FtpConnections,
  key: string,
  offset: number,
  call: DownloadCall,
): AsyncGenerator<Uint8Array> {
  const { signal, failureOf, retry } = call
  const file = { size: undefined }
  const open = async (from: number): Promise<Opened> => {
    const iterator = read(connections, key, from, file, call)
    return { iterator, first: await iterator.next() }
  }
  let at = offset
  let meagre = 0
  let opened = await open(at)
  for (;;) {
    const start = at
    const { iterator, first } = opened
    try {
      for (let next = first; !next.done; next = await iterator.next()) {
        at += next.value.length
        yield next.value
      }
      return
    } catch (thrown) {
      const failure = failureOf(thrown)
      meagre = at - start < MEAGRE.bytes ? meagre + 1 : 0
      if (meagre === MEAGRE.connections) throw failure
      if (!retry || !failure.retryable || at === start || signal.aborted) throw failure
      const again = (): Promise<Opened> => open(at).catch((failed: unknown) => Promise.reject(failureOf(failed)))
      // A server that cannot begin in the middle says so; what broke before says more.
      opened = await retry(again, signal).catch((failed: Failure) =>
        Promise.reject(failed.code === 'unsupported' ? failure : failed),
      )
    } finally {
      await iterator.return(undefined)
    }
  }
}

async function* read(
  connections: FtpConnections,
  key: string,
  offset: number,
  file: { size: number | undefined },
  { doing, signal }: DownloadCall,
): AsyncGenerator<Uint8Array> {
  const lease = await connections.lease(signal)
  try {
    const { connection } = lease
    const path = connection.path(key)
    const size = await sizeOf(connection, path, signal)
    if (size === undefined) throw new Failure(`${doing}: it is not there`, { code: 'not_found' })
    file.size ??= size
    if (size !== file.size) {
      throw new Failure(`${doing}: it was replaced meanwhile, by one of ${size} instead of ${file.size} bytes`, {
        code: 'unavailable',
      })
    }
    let at = offset
    if (at < size) {
      for await (const chunk of connection.retrieve(`RETR ${path}`, signal, offset)) {
        at += chunk.length
        yield chunk
      }
      if (at !== size) {
        throw new Failure(`${doing}: ${at - offset} bytes came, of ${size - offset} that the server keeps`, {
          code: 'unreachable',
          retryable: true,
        })
      }
    }
    lease.giveBack()
  } finally {
    lease.drop()
  }
}
