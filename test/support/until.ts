import { setTimeout as sleep } from 'node:timers/promises'

/** Asks again and again until the answer is yes; throws, naming what it waited for, when it never was. */
export async function until(
  what: string,
  timeoutMs: number,
  ask: () => Promise<boolean>,
  everyMs = 100,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  let last: unknown
  while (performance.now() < deadline) {
    try {
      if (await ask()) return
    } catch (thrown) {
      last = thrown
    }
    await sleep(everyMs)
  }
  throw new Error(`waited ${timeoutMs} ms for ${what} in vain`, last === undefined ? undefined : { cause: last })
}
