import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { S3Server } from '../../support/s3/open.ts'
import { endChild, startChild } from './child.ts'
import { freePort } from './free-port.ts'
import { uploadsBelow } from './minio.ts'
import { peerBinary } from './peer.ts'

/** An S3 server over a folder of its own. */
export interface S3Gateway extends S3Server {
  /** What the server shows as the bucket. */
  readonly folder: string
  /** Multipart uploads that were begun and neither completed nor aborted, where the server has them on disk. */
  incompleteUploads(): Promise<string[]>
  stop(): Promise<void>
}

const ACCESS_KEY = 'peer-access'
const SECRET_KEY = 'peer-secret-key'
const BUCKET = 'palette-backups'

/** versitygw over its POSIX backend: a bucket is a folder, unfinished uploads lie in its `.sgwtmp/multipart`. */
export async function startVersitygw(): Promise<S3Gateway> {
  const uploadsIn = (bucket: string): string => join(bucket, '.sgwtmp', 'multipart')
  return await startGateway('versitygw', uploadsIn, (port, folder) => [
    ...['--access', ACCESS_KEY, '--secret', SECRET_KEY, '--port', `127.0.0.1:${port}`],
    ...['posix', folder],
  ])
}

/** `rclone serve s3` over a local folder. It keeps unfinished uploads in memory, out of our sight. */
export async function startRcloneS3(): Promise<S3Gateway> {
  return await startGateway('rclone', undefined, (port, folder) => [
    ...['serve', 's3', '--config', '', '--addr', `127.0.0.1:${port}`, '--auth-key', `${ACCESS_KEY},${SECRET_KEY}`],
    folder,
  ])
}

async function startGateway(
  program: string,
  uploadsIn: ((bucket: string) => string) | undefined,
  argumentsFor: (port: number, folder: string) => string[],
): Promise<S3Gateway> {
  const folder = await mkdtemp(join(tmpdir(), `palette-backup-${program}-`))
  const bucket = join(folder, BUCKET)
  await mkdir(bucket)
  const port = await freePort()
  const child = await startChild(peerBinary(program), { args: argumentsFor(port, folder), port })
  const end = (): void => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', end)
  return {
    url: `http://127.0.0.1:${port}`,
    bucket: BUCKET,
    folder: bucket,
    accessKey: ACCESS_KEY,
    secretKey: SECRET_KEY,
    // An upload's folder may be gone a moment before the folder of its key.
    incompleteUploads: async () => (uploadsIn ? await uploadsBelow(uploadsIn(bucket)) : []),
    async stop() {
      await endChild(child)
      process.off('exit', end)
      await rm(folder, { recursive: true, force: true })
    },
  }
}
