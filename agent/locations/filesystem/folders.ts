import type { Stats } from 'node:fs'
import { lstat, mkdir, realpath, stat } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { errnoOf, Failure, throwIfAborted } from '../../core/errors.ts'
import { syncFolder } from './sync.ts'

/** Somebody who removes empty folders comes in between once, hardly twice; three times over it is the filesystem. */
const TRIES = 3

const NAME_A_DIRECTORY = 'Write the absolute path of an existing directory into filesystem.path.'

export function isMissing(cause: unknown): boolean {
  return errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR'
}

/** Rejects where `filesystem.path` is not what it has to be. It may be a link: the operator named it. */
export async function checkDirectory(path: string): Promise<void> {
  try {
    const found = await stat(path)
    if (!found.isDirectory()) throw notNamed(`it is ${kindOf(found)}, not a directory`)
  } catch (cause) {
    switch (errnoOf(cause)) {
      case 'ENOENT':
        throw new Failure((await isLink(path)) ? 'it is a link to what is not there' : 'it is not there', {
          code: 'not_found',
          hint: 'Mount the volume, or write the absolute path of an existing directory into filesystem.path.',
          cause,
        })
      case 'ENOTDIR': {
        const above = await deepestExisting(dirname(path))
        throw notNamed(`${above} is ${kindOf(await stat(above))}, not a directory`, cause)
      }
      case 'ELOOP':
        throw notNamed('it is a link that leads in a circle', cause)
      default:
        throw cause
    }
  }
}

/**
 * Makes the folders `below`, `/`-separated, that are not there yet; `base` is, and is never made. A folder that was just
 * made is an entry of its parent, which a power cut may take back until it is flushed.
 *
 * Not by `mkdir` with `recursive`, which asks for ever and hears no signal where the system answers ENOENT although the
 * parent is there, as in /proc.
 */
export async function makeFolders(base: string, below: string): Promise<void> {
  if (await isDirectory(join(base, below))) return
  let parent = base
  for (const name of below.split(sep).filter((part) => part !== '')) {
    const folder = join(parent, name)
    if (!(await isDirectory(folder))) {
      await makeFolder(folder)
      await syncFolder(parent)
    }
    parent = folder
  }
}

/**
 * Runs a task that makes `path` and what is above it; again, a few times, where something of that is not there, because
 * somebody removed a folder while it was still empty. The task is told which try it is, from 1.
 */
export async function whileMissing<T>(
  path: string,
  signal: AbortSignal | undefined,
  task: (attempt: number) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    if (signal) throwIfAborted(signal, `making ${path}`)
    try {
      return await task(attempt)
    } catch (cause) {
      if (errnoOf(cause) !== 'ENOENT') throw cause
      if (attempt === TRIES) throw holdsNothing(await deepestExisting(dirname(path)), cause)
    }
  }
}

/** Without its links; a part of the path that is no folder counts as what is there. */
export async function deepestExisting(path: string): Promise<string> {
  for (let current = path; ; current = dirname(current)) {
    try {
      return await realpath(current)
    } catch (cause) {
      // Nothing is above the root: that it is not there either must not be asked for ever.
      if (!isMissing(cause) || current === dirname(current)) throw cause
    }
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (cause) {
    if (errnoOf(cause) !== 'EEXIST') throw cause
    // Made by somebody else in this moment.
    if (await isDirectory(path)) return
    if (await isLink(path)) throw inTheWay(path, 'a link to what is not there', cause)
    // And removed again: as if it had never been there.
    throw Object.assign(new Error(`${path} was removed`, { cause }), { code: 'ENOENT' })
  }
}

/** False where nothing is there; rejects where it is something else. */
async function isDirectory(path: string): Promise<boolean> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) return true
    throw inTheWay(path, kindOf(found))
  } catch (cause) {
    if (isMissing(cause)) return false
    throw cause
  }
}

async function isLink(path: string): Promise<boolean> {
  return await lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  )
}

function kindOf(found: Stats): string {
  if (found.isFile()) return 'a file'
  if (found.isCharacterDevice() || found.isBlockDevice()) return 'a device'
  if (found.isFIFO()) return 'a named pipe'
  return found.isSocket() ? 'a socket' : 'something else'
}

function notNamed(reason: string, cause?: unknown): Failure {
  return new Failure(reason, { code: 'config', hint: NAME_A_DIRECTORY, cause })
}

function inTheWay(path: string, kind: string, cause?: unknown): Failure {
  return new Failure(`${path} is ${kind}, not a directory`, {
    code: 'not_found',
    hint: 'Move it out of the way, or give the location another folder.',
    cause,
  })
}

function holdsNothing(folder: string, cause: unknown): Failure {
  return new Failure(`${folder} is there, but nothing can be made in it (ENOENT, ${TRIES} times over)`, {
    code: 'unsupported',
    hint: `Is it a real volume? It cannot hold files. ${NAME_A_DIRECTORY}`,
    cause,
  })
}
