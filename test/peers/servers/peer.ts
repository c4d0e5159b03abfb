import { accessSync, constants } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const INSTALL = 'test/peers/install.sh'

/** Where `test/peers/install.sh` has put a program; throws where it is not there. */
export function peerBinary(name: string): string {
  const path = pathOf(name)
  if (!isInstalled(path)) throw new Error(`the peer ${name} is not installed (${path}): run ${INSTALL}`)
  return path
}

/**
 * For `describe.skipIf`: whether a peer is missing on a machine where that is allowed, said on standard error too.
 * In CI nothing may be skipped: there a missing peer fails where it is first used.
 */
export function peersMissing(...names: readonly string[]): boolean {
  const missing = names.filter((name) => !isInstalled(pathOf(name)))
  if (missing.length === 0 || process.env['CI']) return false
  process.stderr.write(`Skipped, because ${missing.join(', ')} is not installed: run ${INSTALL}\n`)
  return true
}

/** The same folder as in the install script. */
function pathOf(name: string): string {
  const caches = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  return join(process.env['PEERS_CACHE'] || join(caches, 'palette-backup', 'peers'), 'bin', name)
}

function isInstalled(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
