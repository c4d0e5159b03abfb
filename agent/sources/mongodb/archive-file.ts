import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { CHUNK_BYTES } from '../../core/buffer-pool.ts'
import { Failure } from '../../core/errors.ts'
import type { CollectionFacts, MongodbFacts, ReadOptions, Source, SourceArtifact } from '../source.ts'
import { plainArchive } from './archive/plain-archive.ts'
import { inspectArchive, surveyArchive } from './inspect.ts'
import { isServersOwn } from './restore-archive.ts'

export interface ArchiveFileOptions {
  readonly path: string
  /** When the dump was made, as far as it is known. */
  readonly takenAt: Date
}

/**
 * An archive that `mongodump --archive`, with or without `--gzip`, has written, as a source of backups. It is read twice:
 * first to its end, which proves it and says what it holds, then to be stored.
 */
export function createArchiveFileSource({ path, takenAt }: ArchiveFileOptions): Source<MongodbFacts> {
  return {
    name: 'mongodb',
    read: (options) => read(path, takenAt, options),
    inspect: inspectArchive,
  }
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

async function* read(path: string, takenAt: Date, options: ReadOptions): AsyncGenerator<SourceArtifact<MongodbFacts>> {
  const { facts, warnings } = await describe(path, takenAt, options)
  const body = plainArchive(bytesOf(path, options))
  yield { name: 'mongodb.archive', body, facts: () => facts, warnings: () => warnings }
}

function bytesOf(path: string, { signal }: ReadOptions): AsyncIterable<Uint8Array> {
  return createReadStream(path, { highWaterMark: CHUNK_BYTES, signal })
}

async function describe(path: string, takenAt: Date, options: ReadOptions) {
  const { serverVersion, collections: all } = await surveyArchive(bytesOf(path, options), options)
  const isOwn = ({ database, collection }: CollectionFacts): boolean => isServersOwn(database, collection)
  const leftOut = all.filter(isOwn).map(({ database, collection }) => `${database}.${collection}`)
  const collections = all.filter((one) => !isOwn(one))
  const at = takenAt.toISOString()
  const reason = 'imported from an archive, which does not tell when each of its collections was read'
  const facts: MongodbFacts = {
    ...{ source: 'mongodb', serverVersion, collections },
    consistency: { level: 'none', from: at, to: at, reason },
    databases: [...new Set(collections.map(({ database }) => database))].sort(),
  }
  const warnings = leftOut.length === 0 ? [] : [`what is the server's own is not put back: ${leftOut.join(', ')}`]
  return { facts, warnings }
}
