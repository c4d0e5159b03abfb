import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { documents } from '../../tools/generate/documents.ts'

const ROOT = new URL('../../', import.meta.url)

it.each(documents)('$path is what `npm run generate` writes', async ({ path, render }) => {
  const current = await readFile(new URL(path, ROOT), 'utf8')
  expect(current).toBe(await render(current))
})
