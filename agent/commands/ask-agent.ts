import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { Diagnostic } from '../core/diagnostics.ts'
import { errnoOf, Failure } from '../core/errors.ts'
import type { PlanReport } from '../http/agent-view.ts'

const Answer = z.looseObject({
  ok: z.boolean(),
  diagnostics: z.array(
    z.custom<Diagnostic>((value) => typeof value === 'object' && value !== null && 'summary' in value),
  ),
  plan: z.custom<PlanReport['plan']>().optional(),
  text: z.string().optional(),
})

/** Sends the text of a configuration to `POST /plan` of a running agent. */
export async function askAgentForPlan(
  agent: string,
  text: string,
  tokenFile: string | undefined,
  signal: AbortSignal,
): Promise<PlanReport> {
  const doing = `asking the agent at ${agent} for a plan`
  const url = URL.parse('/plan', agent)
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new Failure(`${agent} is not the address of an agent`, { code: 'config', hint: 'Write http://HOST:PORT.' })
  }
  const headers = tokenFile === undefined ? {} : { authorization: `Bearer ${await readToken(tokenFile)}` }
  let response: Response
  try {
    response = await fetch(url, { method: 'POST', body: text, headers, signal, redirect: 'error' })
  } catch (cause) {
    const why = cause instanceof Error && cause.cause !== undefined ? errnoOf(cause.cause) : undefined
    const hint = 'Is it running, and is this its address? In the pod it is http://127.0.0.1:9180.'
    throw new Failure(`${doing}: ${why ?? 'no answer'}`, { code: 'unreachable', hint, cause })
  }
  const parsed = Answer.safeParse(await response.json().catch(() => undefined))
  if (parsed.success) {
    const { ok, diagnostics, plan, text: explained } = parsed.data
    return { ok, diagnostics, ...(plan ? { plan } : {}), ...(explained === undefined ? {} : { text: explained }) }
  }
  const isRefused = response.status === 401 || response.status === 403
  throw new Failure(`${doing}: it answered ${response.status}`, {
    code: isRefused ? 'auth' : 'unavailable',
    ...(isRefused ? { hint: 'Give the token that the agent was started with: --token-file.' } : {}),
  })
}

async function readToken(tokenFile: string): Promise<string> {
  try {
    return (await readFile(tokenFile, 'utf8')).trim()
  } catch (cause) {
    throw new Failure(`reading the token file ${tokenFile}: ${errnoOf(cause) ?? 'unknown'}`, { code: 'config', cause })
  }
}
