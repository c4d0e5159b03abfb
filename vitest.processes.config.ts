import { defineConfig } from 'vitest/config'
import { reporters } from './test/support/reporters.ts'

/** Whole programs that are killed, hurt and worn out, without servers of others: too slow for every run. */
export default defineConfig({
  test: {
    include: ['test/processes/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    reporters: reporters(),
  },
})
