import { defineConfig } from 'vitest/config'
import { reporters } from './test/support/reporters.ts'

/** What is measured by the clock, or needs both cores for itself. */
const ALONE = ['test/peers/end-to-end.test.ts', 'test/peers/soak.test.ts']
const patience = { testTimeout: 420_000, hookTimeout: 600_000 }

/** Against real servers, each on ports of its own: two files at a time, and one by one what wants to be alone. */
export default defineConfig({
  test: {
    reporters: reporters(),
    projects: [
      { test: { name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 0 }, ...patience } },
      {
        test: {
          ...{ name: 'peers', include: ['test/peers/**/*.test.ts'], exclude: ALONE, maxWorkers: 2 },
          ...{ sequence: { groupOrder: 1 }, ...patience },
        },
      },
    ],
  },
})
