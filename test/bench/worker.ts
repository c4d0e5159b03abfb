import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { measureCommand } from './measure.ts'

const ROOT = new URL('../../', import.meta.url).pathname

/**
 * The command line of a worker as a run is shipped: emitted JavaScript, with the memory that runs are given. To strip
 * types takes 30 MiB and a tenth of a second, which no installation pays.
 */
export async function emitWorker(name: string, folder: string): Promise<string> {
  const out = join(folder, 'worker')
  await mkdir(out, { recursive: true })
  const compiler = `${ROOT}node_modules/typescript-native/bin/tsc`
  await measureCommand(`${process.execPath} ${compiler} -p ${ROOT}tsconfig.bench.json --outDir ${out}`, {})
  await measureCommand(`cp ${ROOT}package.json ${out}/ && ln -sfn ${ROOT}node_modules ${out}/node_modules`, {})
  return `${process.execPath} --max-semi-space-size=1 ${join(out, 'test/bench', `${name}.js`)}`
}
