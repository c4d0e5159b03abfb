import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, it } from 'vitest'
import { endsWithThis, isAlive } from './processes.ts'
import { until } from './until.ts'

const PARENT = `
  import { spawn } from 'node:child_process'
  const child = spawn(process.argv[1], process.argv.slice(2), { stdio: 'ignore' })
  console.log(child.pid)
  setInterval(() => undefined, 1000)
`

it('a child that ends with its parent does so when that is killed', async () => {
  const command = endsWithThis('sleep', ['60'])
  const args = ['--input-type=module', '--eval', PARENT, '--', command[0], ...command[1]]
  const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(parent.stdout, 'data')
  const child = Number(String(line))
  expect(isAlive(child)).toBe(true)
  parent.kill('SIGKILL')
  await until('the end of the child', 20_000, async () => !isAlive(child))
})
