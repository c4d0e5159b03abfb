import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decodeManifest, encodeManifest, type Manifest } from '../../agent/backup/manifest.ts'
import { selectCollections } from '../../agent/backup/restore-selection.ts'
import { Failure } from '../../agent/core/errors.ts'

const at = '2026-11-24T02:00:00Z'
const zeros = '0'.repeat(64)
const manifest: Manifest = {
  ...{ format_version: 1, tool_version: '0.1.0', backup_id: '20261124T020000Z-aaaaaa', run_id: 'run22222' },
  ...{ cluster_name: 'prod', policy: 'nightly', started_at: at, finished_at: at, result: 'complete', warnings: ['w'] },
  retention: { retention_period_days: 14, keep_minimum: 3 },
  artifacts: [
    {
      ...{ source: 'mongodb', file: 'mongodb.archive.zst.age', compression: 'zstd', bytes: 100, stored_bytes: 50 },
      ...{ sha256: zeros, stored_sha256: zeros },
      encryption: { scheme: 'age', recipients: ['sha256:0123456789abcdef'] },
      mongodb: {
        server_version: '7.0.1',
        consistency: { level: 'snapshot', at, from: at, to: at },
        databases: ['hubbledb'],
        collections: [
          {
            ...{ database: 'hubbledb', collection: 'users', type: 'collection', documents: 3, bytes: 90 },
            ...{ crc64: '0'.repeat(16), digest: `sip128:${'0'.repeat(32)}` },
          },
        ],
      },
    },
  ],
}
const bytes = encodeManifest(manifest)

/** What the program does with a manifest that it was given. */
function use(changed: Uint8Array): Manifest | undefined {
  try {
    const read = decodeManifest(changed, 'a manifest')
    selectCollections(read, {})
    return read
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(Failure)
    expect(thrown).toMatchObject({ code: expect.stringMatching(/^(damaged|unsupported|not_found|config)$/) })
    return undefined
  }
}

it('is read as it was written', () => {
  expect(use(bytes)).toEqual(manifest)
})

it('is refused or read with every field of its kind, however its bytes are changed', () => {
  const mutation = fc.record({
    at: fc.nat(bytes.length - 1),
    cut: fc.nat(60),
    insert: fc.oneof(
      fc.uint8Array({ maxLength: 8 }),
      fc
        .constantFrom('__proto__', '1e999', '-1', 'null', '[]', '{}', '"../../x"', '99999999999999999999', ',')
        .map((text) => Buffer.from(text)),
    ),
  })
  fc.assert(
    fc.property(mutation, ({ at: place, cut, insert }) => {
      const changed = Buffer.concat([bytes.subarray(0, place), insert, bytes.subarray(place + cut)])
      const read = use(changed)
      // What was accepted can be written again: nothing of another kind has come in.
      if (read) expect(decodeManifest(encodeManifest(read), 'again')).toEqual(read)
    }),
    { numRuns: 10_000 },
  )
}, 120_000)

it('names the field that is wrong', () => {
  const text = bytes.toString().replace('"file": "mongodb', '"file": "../mongodb')
  expect(() => decodeManifest(Buffer.from(text), 'a manifest')).toThrow('artifacts.0.file')
})
