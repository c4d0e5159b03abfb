import { defineConfig } from 'vitest/config'

/** Against real servers: one file after the other, because they share ports, disks and two cores. */
export default defineConfig({
  test: {
    include: ['test/peers/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    fileParallelism: false,
    maxWorkers: 1,
  },
})
