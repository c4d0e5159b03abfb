import { setTimeout as sleep } from 'node:timers/promises'

const checks: { readonly what: string; readonly ok: boolean }[] = []

export function say(text: string): void {
  console.log(text)
}

export function check(what: string, ok: boolean): void {
  checks.push({ what, ok })
  say(`${ok ? '✔' : '✘'} ${what}`)
}

/** Prints what was checked and returns how many checks failed. */
export function summary(): number {
  const failed = checks.filter(({ ok }) => !ok)
  say(`\n${checks.length - failed.length} of ${checks.length} checks passed.`)
  for (const { what } of failed) say(`  failed: ${what}`)
  return failed.length
}

/** Asks again and again until the answer is yes; false, and a line, when it never was. */
export async function until(what: string, timeoutMs: number, ask: () => Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (performance.now() < deadline) {
    if (await ask().catch(() => false)) return true
    await sleep(100)
  }
  say(`(gave up waiting for ${what} after ${timeoutMs / 1000} s)`)
  return false
}
