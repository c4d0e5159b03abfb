import { createHash } from 'node:crypto'
import { parseArgs } from 'node:util'
import { recycle } from '../../agent/core/buffer-pool.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { openLocation } from '../../agent/locations/open-location.ts'
import { s3Config } from '../support/s3/open.ts'
import { contentOf } from './content-of.ts'

/** One use of an S3 location in a process of its own, measured from outside: put FILE, get, or catalog. */
const { positionals } = parseArgs({ allowPositionals: true })
const [what, file = ''] = positionals
const server = {
  url: process.env['BENCH_S3_URL'] ?? '',
  bucket: process.env['BENCH_BUCKET'] ?? '',
  accessKey: process.env['BENCH_ACCESS'] ?? '',
  secretKey: process.env['BENCH_SECRET'] ?? '',
}
const location = await openLocation(s3Config(server), { clock: systemClock })
const { signal } = new AbortController()
let count = 0
if (what === 'put') count = (await location.put('ours', contentOf(file), { signal })).sizeBytes
if (what === 'get') {
  const hash = createHash('sha256')
  for await (const chunk of location.get('ours', { signal })) {
    count += chunk.length
    hash.update(chunk)
    recycle(chunk)
  }
  hash.digest()
}
if (what === 'catalog') {
  const { readCatalog } = await import('../../agent/backup/catalog.ts')
  count = (await readCatalog(location, { clusterName: 'prod', policy: 'nightly' }, { signal })).length
}
await location.close()
console.log(count)
