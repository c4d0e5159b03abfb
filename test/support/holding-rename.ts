import { writeFileSync } from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

/**
 * Loaded into a process before all else: stops it for ever right before or behind the first rename to a name that
 * matches, and writes a file that says so. `HOLD_RENAME` is `before` or `after`, a pattern, and the file, as JSON.
 */
const [when, pattern, mark] = JSON.parse(process.env['HOLD_RENAME'] ?? '[]')
const { rename } = promises

promises.rename = async (from, to) => {
  const isHit = new RegExp(pattern).test(String(to))
  if (isHit && when === 'before') await forEver()
  await rename(from, to)
  if (isHit) await forEver()
}
syncBuiltinESMExports()

function forEver(): Promise<never> {
  writeFileSync(mark, '')
  setInterval(() => undefined, 60_000)
  return new Promise(() => undefined)
}
