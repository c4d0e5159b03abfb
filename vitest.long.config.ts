import { defineConfig } from 'vitest/config'
import { reporters } from './test/support/reporters.ts'

/** Whole programs that are killed, hurt and worn out, and thousands of damaged files: too slow for every run. */
export default defineConfig({
  test: {
    include: ['test/long/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    maxWorkers: 3,
    reporters: reporters(),
  },
})
