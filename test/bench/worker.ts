import { join } from 'node:path'
import { bundle } from '../support/bundle.ts'

/** The command line of a worker as a run is shipped: bundled, with the memory that runs are given. */
export async function bundleWorker(name: string, folder: string): Promise<string> {
  const main = await bundle(join(folder, 'worker'), `test/bench/${name}.ts`)
  return `${process.execPath} --max-semi-space-size=1 ${main}`
}
