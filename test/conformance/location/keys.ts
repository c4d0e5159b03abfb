import { expect, it } from 'vitest'
import type { Subject } from './subject.ts'

/** Keys that are none, and objects that are gone. */
export function keyCases(subject: Subject): void {
  const { live, read, put, failureOf } = subject

  it.each(['../outside', 'a/../../b', '/absolute', 'a//b', '', 'a/./b', 'trailing/'])(
    'refuses the key %j before a byte moves',
    async (key) => {
      let pulled = false
      async function* body() {
        pulled = true
        yield Buffer.from('x')
      }
      expect(await failureOf(subject.location.put(key, body(), live()))).toMatchObject({
        name: 'Failure',
        code: 'internal',
      })
      expect(await failureOf(read(key))).toMatchObject({ code: 'internal' })
      expect(await failureOf(subject.location.delete(key, live()))).toMatchObject({ code: 'internal' })
      expect(pulled).toBe(false)
    },
  )

  it('deletes, and deleting again succeeds', async () => {
    await put('deleted', Buffer.from('x'))
    await subject.location.delete('deleted', live())
    expect(await subject.location.stat('deleted', live())).toBeUndefined()
    await subject.location.delete('deleted', live())
    await subject.location.delete('never/there', live())
  })
}
