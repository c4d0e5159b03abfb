import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { CHUNK_BYTES } from '../../core/buffer-pool.ts'
import { Failure, toFailure } from '../../core/errors.ts'
import type { CollectionFacts, MongodbFacts, ReadOptions, Source, SourceArtifact } from '../source.ts'
import { plainArchive } from './archive/plain-archive.ts'
import { inspectArchive, surveyArchive } from './inspect.ts'
import { chooseAmong } from './inventory.ts'
import { isServersOwn } from './restore-archive.ts'

export interface ArchiveFileOptions {
  readonly path: string
  /** When the dump was made, as far as it is known. */
  readonly takenAt: Date
  /** What it must hold: the backup would pass for a newest good one and restore nothing of it. */
  readonly databases: readonly string[]
}

/**
 * An archive that `mongodump --archive`, with or without `--gzip`, has written, as a source of backups. It is read twice:
 * first to its end, which proves it and says what it holds, then to be stored.
 */
export function createArchiveFileSource(file: ArchiveFileOptions): Source<MongodbFacts> {
  return { name: 'mongodb', read: (options) => read(file, options), inspect: inspectArchive }
}

/**
 * When a file was written to last.
 *
 * @throws Failure `not_found`, `permission` or `config` where the path names no file
 */
export async function modifiedAt(path: string): Promise<Date> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    const isMissing = cause.code === 'ENOENT'
    throw new Failure(`opening the archive ${path}: ${isMissing ? 'it is not there' : cause.message}`, {
      code: isMissing ? 'not_found' : 'permission',
      cause,
    })
  })
  if (found.isFile()) return found.mtime
  throw new Failure(`opening the archive ${path}: it is no file`, {
    code: 'config',
    hint: 'Of a folder that mongodump has written, make an archive: put it back somewhere with mongorestore, and dump it with --archive.',
  })
}

async function* read(file: ArchiveFileOptions, options: ReadOptions): AsyncGenerator<SourceArtifact<MongodbFacts>> {
  const hash = createHash('sha256')
  const { facts, warnings } = await describe(file, bytesOf(file, hash, options), options)
  const body = plainArchive(bytesAgain(file, hash.digest('hex'), options))
  yield { name: 'mongodb.archive', body, facts: () => facts, warnings: () => warnings }
}

async function* bytesOf({ path }: ArchiveFileOptions, hash: Hash, { signal }: ReadOptions): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES, signal })) {
    hash.update(chunk)
    yield chunk
  }
}

/** What is stored must be what was proven. */
async function* bytesAgain(file: ArchiveFileOptions, proven: string, options: ReadOptions): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  yield* bytesOf(file, hash, options)
  if (hash.digest('hex') === proven) return
  throw new Failure(`importing ${file.path}: it was changed while it was read`, {
    code: 'damaged',
    hint: 'Wait until mongodump has ended, and import it again.',
  })
}

async function describe(
  { path, takenAt, databases: wanted }: ArchiveFileOptions,
  body: AsyncIterable<Uint8Array>,
  options: ReadOptions,
) {
  const { serverVersion, collections: all } = await surveyArchive(body, options).catch(async (thrown: unknown) => {
    throw await notImported(path, thrown)
  })
  const isOwn = ({ database, collection }: CollectionFacts): boolean => isServersOwn(database, collection)
  const leftOut = all.filter(isOwn).map(({ database, collection }) => `${database}.${collection}`)
  const collections = all.filter((one) => !isOwn(one))
  const at = takenAt.toISOString()
  const reason = 'imported from an archive, which does not tell when each of its collections was read'
  const databases = [...new Set(collections.map(({ database }) => database))].sort()
  const { absent, unknown } = chooseAmong(wanted, databases)
  if (unknown.length > 0) {
    throw new Failure(`importing ${path}: it holds no database named ${unknown.join(', ')}`, {
      code: 'not_found',
      hint: `It holds ${databases.join(', ') || 'none'}. Import it with --policy, into one whose include_databases it covers.`,
    })
  }
  const facts: MongodbFacts = {
    ...{ source: 'mongodb', serverVersion, databases, collections },
    consistency: { level: 'none', from: at, to: at, reason },
  }
  const warnings = [
    ...absent.map((name) => `database ${name} is not in the archive and not in the backup`),
    ...(leftOut.length === 0 ? [] : [`what is the server's own is not put back: ${leftOut.join(', ')}`]),
  ]
  return { facts, warnings }
}

/** What files begin with that are an archive and something around it. */
const WRAPPINGS = [
  { magic: '28b52ffd', hint: 'It is packed with zstd. Unpack it first: zstd -d FILE' },
  {
    magic: Buffer.from('age-encryption.org/').toString('hex'),
    hint: 'It is encrypted. Open it first: age -d -i IDENTITY FILE',
  },
]

async function notImported(path: string, thrown: unknown): Promise<unknown> {
  const { code, message } = toFailure(thrown)
  if (code !== 'damaged') return thrown
  const start = await beginning(path).catch(() => '')
  const wrapping = WRAPPINGS.find(({ magic }) => start.startsWith(magic))
  return new Failure(`importing ${path}: ${message}`, {
    ...{ code, cause: thrown },
    hint: wrapping?.hint ?? 'It must be whole, and what mongodump --archive writes, with --gzip or without.',
  })
}

async function beginning(path: string): Promise<string> {
  await using file = await open(path)
  const { bytesRead, buffer } = await file.read(Buffer.alloc(32), 0, 32, 0)
  return buffer.toString('hex', 0, bytesRead)
}
