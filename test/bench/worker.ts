import { join } from 'node:path'
import { bundle } from '../support/bundle.ts'
import { NODE_AS_SHIPPED } from './as-shipped.ts'

/** The command line of a worker as the program is shipped: bundled, with the environment of the image. */
export async function bundleWorker(name: string, folder: string): Promise<string> {
  const main = await bundle(join(folder, 'worker'), `test/bench/${name}.ts`)
  return `${NODE_AS_SHIPPED} ${main}`
}
