import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Paths of every file in a folder and its folders. */
export async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
}
