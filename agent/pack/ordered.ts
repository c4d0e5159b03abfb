/**
 * Runs `task` on the items of a source, at most `concurrency` at a time, and yields the results in the items' order.
 * When a task fails, the source ends early and the error is thrown once those already begun have settled.
 */
export async function* mapOrdered<In, Out>(
  source: AsyncIterable<In>,
  concurrency: number,
  task: (item: In) => Promise<Out>,
): AsyncGenerator<Out> {
  const running: Promise<Out>[] = []
  try {
    for await (const item of source) {
      const result = task(item)
      // A rejection is taken up when its turn comes; until then it must not count as unhandled.
      result.catch(() => undefined)
      running.push(result)
      if (running.length >= concurrency) yield await next(running)
    }
    while (running.length > 0) yield await next(running)
  } finally {
    await Promise.allSettled(running)
  }
}

async function next<Out>(running: Promise<Out>[]): Promise<Out> {
  const first = running.shift()
  if (first === undefined) throw new Error('nothing is running')
  return first
}
