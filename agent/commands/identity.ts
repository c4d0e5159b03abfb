import { readFile } from 'node:fs/promises'
import type { Config } from '../config/config.ts'
import { errnoOf, Failure } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import { checkIdentities } from '../pack/age/recipients.ts'
import type { CommandContext } from './context.ts'

export interface IdentityOption {
  readonly identityFile?: string
}

/** The text of an age identity file, as it is or from what the option, the configuration or the environment names. */
export async function readIdentity(
  { identityFile }: IdentityOption,
  { palette }: Config,
  { env }: CommandContext,
): Promise<{ readonly identity?: Secret }> {
  const variable = env['PALETTE_BACKUP_AGE_IDENTITY']
  const fallback = palette.ageIdentity ?? (variable ? new Secret(variable) : undefined)
  const identity = identityFile === undefined ? fallback : await readIdentityFile(identityFile)
  if (!identity) return {}
  checkIdentities(identity)
  return { identity }
}

async function readIdentityFile(file: string): Promise<Secret> {
  try {
    return new Secret(await readFile(file, 'utf8'))
  } catch (thrown) {
    const why = errnoOf(thrown) === 'ENOENT' ? 'there is no such file' : (errnoOf(thrown) ?? 'it cannot be read')
    throw new Failure(`reading the age identity ${file}: ${why}`, { code: 'config' })
  }
}
