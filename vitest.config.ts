import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { reporters } from './test/support/reporters.ts'

// The SDKs are compiled once, not in the process of each file.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url))

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/peers/**', 'test/long/**', 'test/bench/**'],
    testTimeout: 20_000,
    maxWorkers: 3,
    reporters: reporters(),
  },
})
