import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { FtpLocationConfig } from '../../agent/config/config.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { Secret } from '../../agent/core/secret.ts'
import { openLocation } from '../../agent/locations/open-location.ts'
import { contentOf } from './content-of.ts'

/** One use of an FTP location in a process of its own, measured from outside: put FILE, or catalog. */
const { positionals } = parseArgs({ allowPositionals: true })
const [what, file = ''] = positionals
const caFile = process.env['BENCH_CA_FILE']
const config: FtpLocationConfig = {
  name: 'nas',
  storageProvider: 'ftp',
  folder: '',
  validate: true,
  host: '127.0.0.1',
  port: Number(process.env['BENCH_PORT']),
  directory: '/',
  username: process.env['BENCH_USERNAME'] ?? '',
  password: new Secret(process.env['BENCH_PASSWORD'] ?? ''),
  tls: caFile === undefined ? 'none' : 'explicit',
  ...(caFile === undefined ? {} : { caCert: readFileSync(caFile, 'utf8') }),
}
const location = await openLocation(config, { clock: systemClock })
const { signal } = new AbortController()
if (what === 'put') {
  const startMs = performance.now()
  const { sizeBytes } = await location.put('ours', contentOf(file), { signal })
  // As curl says it: from the connection to the server's last word, without the start of the process.
  console.log(sizeBytes, (performance.now() - startMs) / 1000)
}
if (what === 'catalog') {
  const { readCatalog } = await import('../../agent/backup/catalog.ts')
  console.log((await readCatalog(location, { clusterName: 'prod', policy: 'nightly' }, { signal })).length)
}
await location.close()
