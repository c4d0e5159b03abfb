import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { documents } from './documents.ts'

const root = new URL('../../', import.meta.url)
for (const { path, render } of documents) {
  const file = new URL(path, root)
  const current = await readFile(file, 'utf8').catch(() => '')
  const wanted = await render(current)
  if (wanted === current) continue
  await mkdir(new URL('./', file), { recursive: true })
  await writeFile(file, wanted)
  process.stdout.write(`${path}\n`)
}
