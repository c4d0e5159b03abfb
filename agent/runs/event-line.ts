import { z } from 'zod'
import { ERROR_CODES } from '../core/errors.ts'
import type { RunEvent } from '../core/events.ts'

/** The event in a line of a run process's standard output; undefined when it holds none. */
export function parseEventLine(text: string): RunEvent | undefined {
  try {
    return Event.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

const count = z.number().nonnegative()
const at = z.iso.datetime()
const kind = z.enum(['backup', 'catalog', 'validate', 'prune', 'verify', 'restore'])

const failure = z.object({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  hint: z.string().exactOptional(),
})

const backup = z.object({
  backupId: z.string(),
  policy: z.string(),
  location: z.string(),
  startedAt: at,
  complete: z.boolean(),
  pinned: z.boolean().exactOptional(),
  verified: z.boolean().exactOptional(),
  damaged: z.boolean().exactOptional(),
  unreadable: z.boolean().exactOptional(),
})

const facts = z.object({ sourceBytes: count, storedBytes: count, consistent: z.boolean() })

const step = z.object({
  name: z.string(),
  ok: z.boolean(),
  durationMs: count,
  detail: z.string().exactOptional(),
  failure: failure.exactOptional(),
})

const run = { runId: z.string() }
const stored = { ...run, policy: z.string(), location: z.string() }

const Event: z.ZodType<RunEvent> = z.discriminatedUnion('type', [
  z.object({ type: z.literal('run.started'), ...run, kind, policy: z.string().exactOptional(), at }),
  z.object({ type: z.literal('run.stage'), ...run, stage: z.string() }),
  z.object({
    type: z.literal('run.progress'),
    ...run,
    bytes: count,
    totalBytes: count.exactOptional(),
    documents: count,
    collection: z.string().exactOptional(),
  }),
  z.object({
    type: z.literal('source.read'),
    ...run,
    policy: z.string(),
    source: z.literal('mongodb'),
    consistency: z.enum(['snapshot', 'none']),
    reason: z.string().exactOptional(),
    member: z.string().exactOptional(),
  }),
  z.object({ type: z.literal('run.heartbeat'), ...run, movedBytes: count }),
  z.object({ type: z.literal('run.warning'), ...run, message: z.string() }),
  z.object({
    type: z.literal('restores.read'),
    ...run,
    location: z.string(),
    unfinished: z.array(z.object({ target: z.string(), backupId: z.string(), stage: z.string(), startedAt: at })),
  }),
  z.object({
    type: z.literal('installation.found'),
    ...run,
    facts: z.array(z.object({ name: z.string(), value: z.string(), from: z.string() })),
    certificates: z.array(z.object({ certificate: z.string(), expiresAt: at })).exactOptional(),
    problems: z.array(z.string()),
  }),
  z.object({
    type: z.literal('location.stored'),
    ...stored,
    backupId: z.string(),
    startedAt: at,
    complete: z.boolean(),
    storedBytes: count,
    sourceBytes: count.exactOptional(),
    consistent: z.boolean().exactOptional(),
  }),
  z.object({ type: z.literal('location.failed'), ...stored, stage: z.string(), failure }),
  z.object({ type: z.literal('catalog.read'), ...stored, backups: z.array(backup), newest: facts.exactOptional() }),
  z.object({ type: z.literal('catalog.failed'), ...run, location: z.string(), failure }),
  z.object({ type: z.literal('backup.deleted'), ...stored, backupId: z.string() }),
  z.object({ type: z.literal('retention.applied'), ...stored, failures: count, refused: z.boolean() }),
  z.object({
    type: z.literal('backup.verified'),
    ...stored,
    backupId: z.string(),
    startedAt: at,
    ok: z.boolean(),
  }),
  z.object({ type: z.literal('location.swept'), ...run, location: z.string(), objects: count, failures: count }),
  z.object({
    type: z.literal('location.used'),
    ...run,
    location: z.string(),
    operations: z.record(z.string(), count),
    errors: z.partialRecord(z.enum(ERROR_CODES), count),
    sentBytes: count,
    receivedBytes: count,
  }),
  z.object({ type: z.literal('validate.step'), ...run, location: z.string().exactOptional(), step }),
  z.object({
    type: z.literal('run.finished'),
    ...run,
    kind,
    policy: z.string().exactOptional(),
    at,
    result: z.enum(['success', 'partial', 'failed', 'cancelled']),
    durationMs: count,
    sourceBytes: count.exactOptional(),
    storedBytes: count.exactOptional(),
    peakMemoryBytes: count.exactOptional(),
    failure: failure.exactOptional(),
  }),
])
