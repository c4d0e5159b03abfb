import { join } from 'node:path'
import { bundle } from '../support/bundle.ts'
import { NODE_AS_SHIPPED } from './as-shipped.ts'

/** The command line of a worker as a run is shipped: bundled, with the memory that runs are given. */
export async function bundleWorker(name: string, folder: string): Promise<string> {
  const main = await bundle(join(folder, 'worker'), `test/bench/${name}.ts`)
  return `${NODE_AS_SHIPPED} ${main}`
}
