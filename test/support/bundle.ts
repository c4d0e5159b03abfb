import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'
import config from '../../rolldown.config.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Builds a program as it ships, by default this one, into `dist` of a folder, where it finds the package.json that the
 * image gives it. Gives the file to run.
 */
export async function bundle(folder: string, input = 'agent/main.ts'): Promise<string> {
  const dir = join(folder, 'dist')
  await build({ ...config, cwd: ROOT, input: { main: join(ROOT, input) }, output: { ...config.output, dir } })
  await copyFile(join(ROOT, 'package.json'), join(folder, 'package.json'))
  return join(dir, 'main.js')
}
