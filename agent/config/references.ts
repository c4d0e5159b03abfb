import { isUtf8 } from 'node:buffer'
import { dirname, resolve } from 'node:path'
import { isReference, type Reference } from './attributes.ts'
import type { Path } from './document.ts'
import { digestOf, explainUnreadable, NO_CONTENT, readBounded, TooLarge } from './read-bounded.ts'
import type { Reporter } from './reporter.ts'

/** A value of the file with a text in place of every reference. */
export type Resolved<T> = T extends Reference
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Resolved<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Resolved<T[Key]> }
      : T

export interface ReferenceSources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Relative paths of `$file` begin at the folder of this file. */
  readonly configFile: string
}

export interface ResolvedReferences<T> {
  readonly value: Resolved<T>
  /** Digest of what was read, by absolute path, of every file that was named. */
  readonly files: ReadonlyMap<string, string>
}

const LARGEST_BYTES = 1024 * 1024

/** Reads what every `$env` and `$file` names; what cannot be read is reported and stands as an empty text. */
export async function resolveReferences<T>(
  value: T,
  sources: ReferenceSources,
  report: Reporter,
): Promise<ResolvedReferences<T>> {
  const files = new Map<string, string>()
  /** Each file is read once: two attributes must not see it before and after a change. */
  const reading = new Map<string, Promise<SecretFile>>()
  const walk = async (part: unknown, path: Path): Promise<unknown> => {
    if (isReference(part)) {
      if ('$env' in part) return readVariable(part.$env, path, sources, report)
      const file = resolve(dirname(sources.configFile), part.$file)
      const read = reading.get(file) ?? readSecretFile(file)
      reading.set(file, read)
      const { text, digest, problem } = await read
      files.set(file, digest)
      if (problem) report.error({ path, at: 'key', ...problem })
      return text
    }
    if (Array.isArray(part)) return await Promise.all(part.map((item, index) => walk(item, [...path, index])))
    if (typeof part !== 'object' || part === null) return part
    const entries: [string, unknown][] = []
    for (const [key, inner] of Object.entries(part)) entries.push([key, await walk(inner, [...path, key])])
    return Object.fromEntries(entries)
  }
  // The walk keeps the shape and replaces nothing but references.
  const resolved = (await walk(value, [])) as Resolved<T>
  return { value: resolved, files }
}

function readVariable(name: string, path: Path, { env }: ReferenceSources, report: Reporter): string {
  const value = env[name]
  if (value !== undefined && value !== '') return value
  const detail = `The environment of palette-backup ${value === '' ? 'has an empty' : 'has no'} variable ${name}.`
  report.error({ path, at: 'key', summary: 'Environment variable is not set', detail })
  return ''
}

interface SecretFile {
  /** Empty when there is a problem. */
  readonly text: string
  readonly digest: string
  readonly problem?: { readonly summary: string; readonly detail: string }
}

/** Without the newline that editors and `echo` leave at the end, and the mark that Windows leaves at the beginning. */
async function readSecretFile(file: string): Promise<SecretFile> {
  const refuse = (summary: string, detail: string, digest = NO_CONTENT): SecretFile => ({
    text: '',
    digest,
    problem: { summary, detail },
  })
  try {
    const content = await readBounded(file, LARGEST_BYTES)
    const digest = digestOf(content)
    if (!isUtf8(content)) return refuse('File is not text', `${file} holds bytes that are no UTF-8 text.`, digest)
    const text = content
      .toString('utf8')
      .replace(/^\uFEFF/, '')
      .replace(/\r?\n$/, '')
    return text === '' ? refuse('File is empty', `${file} holds nothing.`, digest) : { text, digest }
  } catch (cause) {
    if (cause instanceof TooLarge) return refuse('File too large', `${file} is larger than 1 MiB.`)
    return refuse('File cannot be read', `${file}: ${explainUnreadable(cause)}.`)
  }
}
