import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { peerBinary } from './peer.ts'

const run = promisify(execFile)
const BUILD = fileURLToPath(new URL('../image.sh', import.meta.url))

/** Builds the image from the Dockerfile; resolves with its name. Minutes, the first time. */
export async function buildImage(): Promise<string> {
  const { stdout } = await run('bash', [BUILD], { maxBuffer: 16 << 20 })
  const name = stdout.trim().split('\n').at(-1)
  if (!name) throw new Error('the image has no name')
  return name
}

export interface ContainerOptions {
  readonly image: string
  /** Instead of the image's own. */
  readonly entrypoint?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** From a folder here to one there, read-only unless it ends in `:rw`. */
  readonly mounts?: Readonly<Record<string, string>>
}

export interface ContainerEnd {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Container extends AsyncDisposable {
  /** Runs the program of the image again, in the container that runs: what `kubectl exec` does. */
  exec(...command: readonly string[]): Promise<ContainerEnd>
  /** SIGTERM, and after a minute SIGKILL, as the kubelet does. Resolves with the exit code. */
  stop(): Promise<number>
}

/** One command in a container, to its end. */
export async function runContainer(options: ContainerOptions): Promise<ContainerEnd> {
  return await podman(...runArguments(options))
}

export function startContainer(options: ContainerOptions): Container {
  const name = `palette-backup-${process.pid}-${Math.random().toString(36).slice(2)}`
  const ended = podman(...runArguments(options, name))
  const stop = async (): Promise<number> => {
    await podman('stop', '--time', '60', name)
    return (await ended).code
  }
  return {
    exec: (...command) => podman('exec', name, ...command),
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
    },
  }
}

/** As the chart runs it: read-only, nothing but /tmp to write to, no capability, no new privilege. */
function runArguments(options: ContainerOptions, name?: string): string[] {
  const { image, entrypoint, args = [], env = {}, mounts = {} } = options
  return [
    ...['run', '--rm', '--pull=never', '--network=host', '--no-healthcheck'],
    ...['--ulimit=nofile=4096:4096', '--ulimit=nproc=1024:1024'],
    ...['--read-only', '--read-only-tmpfs=false', '--tmpfs=/tmp', '--cap-drop=all', '--security-opt=no-new-privileges'],
    ...(name === undefined ? [] : [`--name=${name}`]),
    ...(entrypoint === undefined ? [] : [`--entrypoint=${entrypoint}`]),
    ...Object.entries(env).map(([key, value]) => `--env=${key}=${value}`),
    ...Object.entries(mounts).map(([from, to]) => `--volume=${from}:${to}${to.endsWith(':rw') ? '' : ':ro'}`),
    image,
    ...args,
  ]
}

async function podman(...args: readonly string[]): Promise<ContainerEnd> {
  const caches = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  const cache = join(process.env['PEERS_CACHE'] || join(caches, 'palette-backup', 'peers'), 'image')
  const storage = [`--root=${cache}/graph`, `--runroot=${cache}/run`]
  const driver = process.env['STORAGE_DRIVER'] || 'overlay'
  const engine = [`--storage-driver=${driver}`, '--cgroup-manager=cgroupfs', '--runtime=/usr/sbin/runc']
  const child = spawn(peerBinary('podman'), [...storage, ...engine, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { code: Number(code), stdout, stderr }
}
