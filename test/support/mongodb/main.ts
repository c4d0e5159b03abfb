import { parseArgs } from 'node:util'
import { sizedDocuments } from './corpus.ts'
import { paletteCollections } from './palette-data.ts'
import { seedStore } from './palette-load.ts'
import { startMongodb } from './server.ts'

/** Runs the double as a process: prints one line `{"uri":...}` when it is ready, ends on SIGTERM or SIGINT. */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    auth: { type: 'string' },
    standalone: { type: 'boolean', default: false },
    seed: { type: 'string' },
    'all-types': { type: 'boolean', default: false },
    'document-bytes': { type: 'string', default: '2048' },
    'seed-bytes': { type: 'string', default: '67108864' },
    // Every collection so many times, in the memory of one: for a source that is larger than the machine.
    copies: { type: 'string', default: '1' },
  },
})

const [username, password] = values.auth?.split(/:(.*)/s) ?? []
const double = await startMongodb({
  port: Number(values.port),
  host: values.host,
  standalone: values.standalone,
  ...(username !== undefined && password !== undefined ? { auth: { username, password } } : {}),
})
if (values.seed !== undefined) {
  const bytes = Number(values['seed-bytes'])
  if (values.seed === 'palette') {
    seedStore(double.store, paletteCollections({ bytes, allTypes: values['all-types'] }), { prepared: true })
  } else if (values.seed === 'sized') {
    const documents = sizedDocuments(bytes, Number(values['document-bytes']))
    double.store.addPrepared('app', 'documents', { documents })
  } else {
    throw new RangeError(`--seed ${values.seed}: only "palette" and "sized" are known`)
  }
  const collections = double.store.databases().flatMap((database) => double.store.collections(database))
  for (let copy = 2; copy <= Number(values.copies); copy += 1) {
    for (const collection of collections) double.store.duplicate(collection, `${collection.name}_copy_${copy}`)
  }
}
process.stdout.write(`${JSON.stringify({ uri: double.uri })}\n`)
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void double.stop())
