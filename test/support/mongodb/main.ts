import { parseArgs } from 'node:util'
import { startMongodb } from './server.ts'

/** Runs the double as a process: prints one line `{"uri":...}` when it is ready, ends on SIGTERM or SIGINT. */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    auth: { type: 'string' },
    standalone: { type: 'boolean', default: false },
    seed: { type: 'string' },
    'seed-bytes': { type: 'string', default: '67108864' },
  },
})

const [username, password] = values.auth?.split(/:(.*)/s) ?? []
const double = await startMongodb({
  port: Number(values.port),
  host: values.host,
  standalone: values.standalone,
  ...(username !== undefined && password !== undefined ? { auth: { username, password } } : {}),
})
process.stdout.write(`${JSON.stringify({ uri: double.uri })}\n`)
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void double.stop())
