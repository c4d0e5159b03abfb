import { Failure } from '../core/errors.ts'
import type { CallOptions, GetOptions, Location } from './location.ts'

/** One thing that a location is asked to do. */
export interface Check {
  readonly name: string
  /** The right it needs, as in "permission to ...". */
  readonly needs: string
  /** Left out when the check of this name did not succeed: there would be nothing to do it with. */
  readonly after?: string
  /** Resolves with what there is to tell about it. */
  readonly run: (call: CallOptions) => Promise<string | undefined>
}

const MANIFEST = '.manifest.json'

/** Lists, and reads the newest manifest where there is one. */
export function readingChecks(location: Location, prefix: string): Check[] {
  let newest: { readonly key: string; readonly sizeBytes: number } | undefined
  return [
    {
      name: 'list',
      needs: 'list',
      run: async (call) => {
        const entries = await location.list(prefix, call)
        // A backup's name begins with its time.
        const nameOf = (key: string): string => key.slice(key.lastIndexOf('/') + 1)
        for (const entry of entries.filter(({ key }) => key.endsWith(MANIFEST))) {
          if (!newest || nameOf(entry.key) > nameOf(newest.key)) newest = entry
        }
        return entries.length === 0 ? `nothing is below ${prefix} yet` : `${entries.length} objects below ${prefix}`
      },
    },
    {
      name: 'read',
      needs: 'read',
      after: 'list',
      run: async (call) => {
        if (!newest) return 'there is no manifest to read yet'
        const { length } = await readWhole(location, newest.key, call)
        if (length !== newest.sizeBytes) {
          throw wrong(location, newest.key, `was listed with ${newest.sizeBytes} bytes, but ${length} came back`)
        }
        return newest.key
      },
    },
  ]
}

export async function readWhole(location: Location, key: string, options: GetOptions): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of location.get(key, options)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

export function wrong({ name }: Location, key: string, what: string): Failure {
  return new Failure(`${key} in ${name} ${what}`, { code: 'damaged' })
}
