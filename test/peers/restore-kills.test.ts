import { expect, it } from 'vitest'
import { STAGES, survivesKillAt } from '../commands/killed-restores.ts'

/** On the double, and here because each takes a dozen processes; the two most likely stages go with every run of the tests. */
it.each(STAGES.filter(({ often }) => !often))(
  'kill -9 of a restore while $what is told, can be rolled back, and can be finished',
  async (stage) => {
    expect.hasAssertions()
    await survivesKillAt(stage)
  },
)
