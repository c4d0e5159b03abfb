import { defineConfig } from 'vitest/config'
import { reporters } from './test/support/reporters.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/peers/**', 'test/long/**', 'test/bench/**'],
    testTimeout: 20_000,
    maxWorkers: 3,
    reporters: reporters(),
  },
})
