import { z } from 'zod'
import type { Config } from '../config/config.ts'
import { Failure } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'

export type Permission = 'read' | 'write' | 'readwrite'

/** What a run is asked to do, before it has an id. `config` is the one it keeps until its end. */
export type RunOrder =
  | { readonly kind: 'backup'; readonly policy: string; readonly config: Config }
  | { readonly kind: 'catalog'; readonly config: Config }
  | {
      readonly kind: 'validate'
      readonly config: Config
      /** Absent: the installation. */
      readonly location?: string
      readonly permission: Permission
    }

/** What the agent hands to a run process. */
export type RunRequest = RunOrder & {
  readonly runId: string
  /** Earlier runs of the same policy that died: what they left in the locations may be removed. */
  readonly deadRuns?: readonly string[]
}

const SECRET_KEY = '$secret'

/**
 * The request as one line of JSON, without the line's end. A `Secret` becomes `{"$secret": value}`: the text may only
 * travel through the pipe to the run process.
 */
export function encodeRequest(request: RunRequest): string {
  return JSON.stringify(uncover(request))
}

/** The request that a line holds. Anything else is a `Failure` that quotes nothing of it. */
export function decodeRequest(text: string): RunRequest {
  const parsed = Request.safeParse(parseJson(text))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw refuse(issue ? `${issue.path.join('.') || 'the line'} is not as expected` : 'it is not as expected')
}

/** The agent resolved and checked it a moment ago; only its outline is looked at again. */
const HandedConfig = z.custom<Config>(isConfig)

const envelope = {
  runId: z.string().regex(/^[a-z2-7]{8}$/),
  config: HandedConfig,
  deadRuns: z.array(z.string()).exactOptional(),
}

const Request: z.ZodType<RunRequest> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('backup'), policy: z.string().min(1), ...envelope }),
  z.strictObject({ kind: z.literal('catalog'), ...envelope }),
  z.strictObject({
    kind: z.literal('validate'),
    location: z.string().min(1).exactOptional(),
    permission: z.enum(['read', 'write', 'readwrite']),
    ...envelope,
  }),
])

function isConfig(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const config: Partial<Record<keyof Config, unknown>> = value
  const palette: unknown = config.palette
  return (
    typeof config.digest === 'string' &&
    typeof palette === 'object' &&
    palette !== null &&
    Array.isArray(config.locations) &&
    Array.isArray(config.policies)
  )
}

function uncover(value: unknown): unknown {
  if (value instanceof Secret) return { [SECRET_KEY]: value.reveal() }
  if (Array.isArray(value)) return value.map(uncover)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, uncover(inner)]))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, (_, value: unknown) => cover(value))
  } catch {
    // The engine's message quotes the text, and the text holds secrets.
    throw refuse(text === '' ? 'nothing was sent' : 'it is not JSON')
  }
}

function cover(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !(SECRET_KEY in value)) return value
  const { [SECRET_KEY]: secret, ...others } = value
  return typeof secret === 'string' && Object.keys(others).length === 0 ? new Secret(secret) : value
}

function refuse(why: string): Failure {
  return new Failure(`reading the request of a run: ${why}`, {
    code: 'config',
    hint: 'Run processes are started by the agent, which sends one request on standard input.',
  })
}
