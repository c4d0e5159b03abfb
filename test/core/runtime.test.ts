import { expect, it } from 'vitest'

it('runs on the Node.js that the project brings along', () => {
  expect(process.version).toMatch(/^v24\./)
})
