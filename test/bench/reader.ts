import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import { peerBinary } from '../peers/servers/peer.ts'
import { NODE_AS_SHIPPED } from './as-shipped.ts'
import { measureCommand } from './measure.ts'
import { startProcess } from './process.ts'

export interface ReaderBench {
  /** By size of the documents: what reading them costs us and mongodump, neither storing anything. */
  readonly sizes: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** What a client that reads one document after another waits for it, milliseconds. */
  readonly foreground: Readonly<Record<string, Readonly<Record<string, number>>>>
}

const SIZES = { small: 200, medium: 2048, large: 1024 * 1024 } as const
/** A fifth of what the reader does unbridled, about. */
const GENTLE_BYTES_PER_SECOND = 20_000_000
const READ_ONCE = new URL('read-once.ts', import.meta.url).pathname
const DOUBLE = new URL('../support/mongodb/main.ts', import.meta.url).pathname

/**
 * The reader alone, on documents of 200 B, 2 KB and 1 MB, and what others notice of it: the waiting times of a foreground
 * client with no backup, one as fast as it goes, and one with `max_bytes_per_second`. The server is the wire double.
 */
export async function benchReader(bytes = 256_000_000): Promise<ReaderBench> {
  const sizes: Record<string, Record<string, number>> = {}
  for (const [name, documentBytes] of Object.entries(SIZES)) {
    await using server = await startDouble(bytes, documentBytes)
    const env = { BENCH_URI: server.match }
    const ours = await measureCommand(`${NODE_AS_SHIPPED} ${READ_ONCE} --uri "$BENCH_URI"`, env)
    const dump = `${peerBinary('mongodump')} --quiet --uri "$BENCH_URI" --db app --archive > /dev/null`
    const theirs = await measureCommand(dump, env)
    sizes[name] = {
      'MB/s': rounded(bytes / 1e6 / ours.wallSeconds),
      'cpu s': rounded(ours.cpuSeconds),
      'peak MiB': rounded(Math.max(...Object.values(ours.peakMib))),
      'mongodump MB/s': rounded(bytes / 1e6 / theirs.wallSeconds),
      'mongodump cpu s': rounded(theirs.cpuSeconds),
    }
  }
  await using server = await startDouble(bytes, SIZES.medium)
  const command = `${NODE_AS_SHIPPED} ${READ_ONCE} --uri "$BENCH_URI"`
  const env = { BENCH_URI: server.match }
  const foreground = {
    'no backup': await waitingTimes(server.match, () => sleep(5000)),
    unlimited: await waitingTimes(server.match, () => measureCommand(command, env)),
    limited: await waitingTimes(server.match, () =>
      measureCommand(`${command} --max-bytes-per-second ${GENTLE_BYTES_PER_SECOND}`, env),
    ),
  }
  return { sizes, foreground }
}

/** Reads single documents, 200 a second, as long as `beside` takes. */
async function waitingTimes(uri: string, beside: () => Promise<unknown>): Promise<Record<string, number>> {
  const client = await MongoClient.connect(uri)
  const waited: number[] = []
  let over = false
  const ended = beside().finally(() => {
    over = true
  })
  const documents = client.db('app').collection<{ _id: number }>('documents')
  for (let id = 0; !over; id = (id + 7) % 1000) {
    const begin = performance.now()
    await documents.findOne({ _id: id })
    waited.push(performance.now() - begin)
    await sleep(5)
  }
  await ended
  await client.close()
  waited.sort((a, b) => a - b)
  const at = (share: number): number => rounded(waited[Math.floor((waited.length - 1) * share)] ?? Number.NaN)
  return { reads: waited.length, 'p50 ms': at(0.5), 'p95 ms': at(0.95), 'p99 ms': at(0.99) }
}

function startDouble(bytes: number, documentBytes: number) {
  const args = ['--seed', 'sized', '--seed-bytes', String(bytes), '--document-bytes', String(documentBytes)]
  return startProcess([DOUBLE, ...args], /"uri":"([^"]+)"/)
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}
