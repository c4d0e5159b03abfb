import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CreateBucketCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3'
import { endsWithThis } from '../../support/processes.ts'
import type { S3Server } from '../../support/s3/open.ts'
import { until } from '../../support/until.ts'
import { endChild } from './child.ts'
import { freePort } from './free-port.ts'
import { peerBinary } from './peer.ts'

export interface Minio extends AsyncDisposable {
  readonly url: string
  readonly bucket: string
  /** Those of the root user. */
  readonly accessKey: string
  readonly secretKey: string
  /** The bucket as rclone takes it without a configuration; `/KEY` may follow. */
  readonly rcloneRemote: string
  /** Multipart uploads that were begun and neither completed nor aborted, as the server has them on disk. */
  incompleteUploads(): Promise<string[]>
  /** Every key in the bucket. */
  objects(): Promise<string[]>
  /** Runs `mc`; the server's alias is `peer`. */
  mc(...args: readonly string[]): Promise<string>
  /** A user who may do what is named in the bucket, by IAM action, and nothing else. */
  createUser(name: string, actions: readonly string[]): Promise<S3Server>
  /** Ends the server; its data and its port are kept for `restart`. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
  restart(): Promise<void>
}

const run = promisify(execFile)
const BUCKET = 'palette-backups'
const ACCESS_KEY = 'peer-access'
const SECRET_KEY = 'peer-secret-key'

export interface MinioOptions {
  /** The data is on a disk of its own, of this size in MiB. Needs root. */
  readonly diskMib?: number
}

/** MinIO with one empty bucket, its data in a folder of its own that goes with this process. */
export async function startMinio({ diskMib }: MinioOptions = {}): Promise<Minio> {
  const binary = peerBinary('minio')
  const folder = await mkdtemp(join(tmpdir(), 'palette-backup-minio-'))
  const data = join(folder, 'data')
  await mkdir(data)
  if (diskMib !== undefined) await run('mount', ['-t', 'tmpfs', '-o', `size=${diskMib}m`, 'tmpfs', data])
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  let child = await start(binary, data, url)
  const end = (): void => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', end)
  const client = new S3Client({
    region: 'us-east-1',
    endpoint: url,
    forcePathStyle: true,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
  })
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const stop = (signal?: 'SIGTERM' | 'SIGKILL'): Promise<void> => endChild(child, signal)
  const mc = async (...args: readonly string[]): Promise<string> => {
    const alias = `http://${ACCESS_KEY}:${SECRET_KEY}@127.0.0.1:${port}`
    const env = { ...process.env, MC_HOST_peer: alias, MC_CONFIG_DIR: join(folder, 'mc') }
    return (await run(peerBinary('mc'), [...args], { env, maxBuffer: 64 * 1024 * 1024 })).stdout
  }
  return {
    url,
    bucket: BUCKET,
    accessKey: ACCESS_KEY,
    secretKey: SECRET_KEY,
    rcloneRemote: `:s3,provider=Minio,endpoint='${url}',access_key_id=${ACCESS_KEY},secret_access_key=${SECRET_KEY}:${BUCKET}`,
    incompleteUploads: () => uploadsBelow(join(data, '.minio.sys', 'multipart')),
    async objects() {
      const keys: string[] = []
      for await (const page of paginateListObjectsV2({ client }, { Bucket: BUCKET })) {
        for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key)
      }
      return keys
    },
    mc,
    async createUser(name, actions) {
      const file = join(folder, `${name}.json`)
      const secretKey = `${name}-secret-key`
      await writeFile(file, JSON.stringify(policyOf(actions)))
      await mc('admin', 'policy', 'create', 'peer', name, file)
      await mc('admin', 'user', 'add', 'peer', name, secretKey)
      await mc('admin', 'policy', 'attach', 'peer', name, '--user', name)
      return { url, bucket: BUCKET, accessKey: name, secretKey }
    },
    stop,
    async restart() {
      await stop()
      child = await start(binary, data, url)
    },
    async [Symbol.asyncDispose]() {
      await stop()
      client.destroy()
      if (diskMib !== undefined) await run('umount', ['--lazy', data])
      process.off('exit', end)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The shape of the policy in Palette's documentation: actions on the bucket and on what is in it. */
function policyOf(actions: readonly string[]): object {
  const Resource = [`arn:aws:s3:::${BUCKET}`, `arn:aws:s3:::${BUCKET}/*`]
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions, Resource }] }
}

async function start(binary: string, data: string, url: string): Promise<ChildProcess> {
  const address = new URL(url).host
  const child = spawn(...endsWithThis(binary, ['server', '--address', address, '--quiet', data]), {
    env: { ...process.env, MINIO_ROOT_USER: ACCESS_KEY, MINIO_ROOT_PASSWORD: SECRET_KEY, MINIO_UPDATE: 'off' },
    stdio: 'ignore',
  })
  await until(`MinIO on ${address}`, 30_000, async () => (await fetch(`${url}/minio/health/ready`)).ok, 20)
  return child
}

/**
 * The server's own listing needs the exact key of each upload, so its folders are read:
 * `HASH-OF-KEY/UPLOAD` is there as long as the upload is.
 */
export async function uploadsBelow(root: string): Promise<string[]> {
  const found: string[] = []
  for (const hash of await readdir(root).catch(() => [])) {
    for (const upload of await readdir(join(root, hash)).catch(() => [])) found.push(`${hash}/${upload}`)
  }
  return found
}
