import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'

it('prints as (sensitive) wherever it is printed', () => {
  const secret = new Secret('hunter2')
  const printed = [
    `${secret}`,
    String(secret),
    JSON.stringify({ secret }),
    inspect({ deep: { secret } }),
    secret.toString(),
  ].join('\n')
  expect(printed).not.toContain('hunter2')
  expect(printed.match(/\(sensitive\)/g)).toHaveLength(5)
  expect(secret.reveal()).toBe('hunter2')
})
