import { defineConfig } from 'vitest/config'
import { reporters } from './test/support/reporters.ts'

/** Against real servers: one file after the other, because they share ports, disks and two cores. */
export default defineConfig({
  test: {
    include: ['test/peers/**/*.test.ts'],
    testTimeout: 420_000,
    hookTimeout: 600_000,
    fileParallelism: false,
    maxWorkers: 1,
    reporters: reporters(),
  },
})
