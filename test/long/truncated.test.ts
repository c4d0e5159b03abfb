import { expect, it, vi } from 'vitest'
import { check, checkConfig, documents, load } from '../config/canaries.ts'

/** Thousands of files are read; nobody else's time must fail this. */
vi.setConfig({ testTimeout: 120_000 })

it.each(['minimal.yaml', 'everything.yaml'])(
  '%s that ends after any of its bytes is told of, or names a policy',
  async (name) => {
    const text = documents.get(name) ?? ''
    expect(text.length).toBeGreaterThan(500)
    expect(Buffer.byteLength(text)).toBe(text.length)
    let refused = 0
    for (let length = 0; length < text.length; length += 1) {
      const loaded = await load(text.slice(0, length))
      check(loaded)
      checkConfig(loaded)
      if (loaded.config) expect(loaded.config.policies).not.toEqual([])
      else refused += 1
    }
    expect(refused).toBeGreaterThan(text.indexOf('retention_period'))
  },
)
