import { parseArgs } from 'node:util'
import { systemClock } from '../../agent/core/clock.ts'
import { Secret } from '../../agent/core/secret.ts'
import { createMongodbSource } from '../../agent/sources/mongodb/mongodb-source.ts'

/** Reads a MongoDB once, as a run does, and throws the archive away: for measuring the reader and nothing else. */
const { values } = parseArgs({
  options: {
    uri: { type: 'string', default: '' },
    database: { type: 'string', default: 'app' },
    'max-bytes-per-second': { type: 'string' },
  },
})
const limit = values['max-bytes-per-second']
const source = createMongodbSource({
  mongodb: { uri: new Secret(values.uri) },
  databases: [values.database],
  toolVersion: '0.0.0-bench',
  clock: systemClock,
  ...(limit === undefined ? {} : { maxBytesPerSecond: Number(limit) }),
})
let bytes = 0
for await (const artifact of source.read({ signal: new AbortController().signal })) {
  for await (const chunk of artifact.body) bytes += chunk.length
}
console.log(JSON.stringify({ bytes }))
