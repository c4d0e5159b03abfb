import type { OutputOptions, RolldownOptions } from 'rolldown'
import { thirdPartyLicences } from './tools/build/third-party-licences.ts'

const output: OutputOptions = { dir: 'dist', cleanDir: true, format: 'esm', chunkFileNames: '[name].js' }

/**
 * The program as it ships: itself and all its dependencies in a few files of JavaScript, which start in a fraction of
 * the time that a thousand modules do. Not minified: the names in a stack trace are those of the source.
 */
const config: RolldownOptions & { readonly output: OutputOptions } = {
  input: 'agent/main.ts',
  platform: 'node',
  plugins: [thirdPartyLicences()],
  output,
}

export default config
