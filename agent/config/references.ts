import { dirname, resolve } from 'node:path'
import { errnoOf } from '../core/errors.ts'
import { isReference, type Reference } from './attributes.ts'
import type { Path } from './document.ts'
import { readBounded, TooLarge } from './read-bounded.ts'
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
  /** Absolute paths of the files that were named, readable or not. */
  readonly files: readonly string[]
}

const LARGEST_BYTES = 1024 * 1024

/** Reads what every `$env` and `$file` names; what cannot be read is reported and stands as an empty text. */
export async function resolveReferences<T>(
  value: T,
  sources: ReferenceSources,
  report: Reporter,
): Promise<ResolvedReferences<T>> {
  const files = new Set<string>()
  const walk = async (part: unknown, path: Path): Promise<unknown> => {
    if (isReference(part)) {
      if ('$env' in part) return readVariable(part.$env, path, sources, report)
      const file = resolve(dirname(sources.configFile), part.$file)
      files.add(file)
      return await readSecretFile(file, path, report)
    }
    if (Array.isArray(part)) return await Promise.all(part.map((item, index) => walk(item, [...path, index])))
    if (typeof part !== 'object' || part === null) return part
    const entries: [string, unknown][] = []
    for (const [key, inner] of Object.entries(part)) entries.push([key, await walk(inner, [...path, key])])
    return Object.fromEntries(entries)
  }
  // The walk keeps the shape and replaces nothing but references.
  const resolved = (await walk(value, [])) as Resolved<T>
  return { value: resolved, files: [...files].sort() }
}

function readVariable(name: string, path: Path, { env }: ReferenceSources, report: Reporter): string {
  const value = env[name]
  if (value !== undefined && value !== '') return value
  const detail = `The environment of palette-backup ${value === '' ? 'has an empty' : 'has no'} variable ${name}.`
  report.error({ path, at: 'key', summary: 'Environment variable is not set', detail })
  return ''
}

/** Without the newline that editors and `echo` leave at the end. */
async function readSecretFile(file: string, path: Path, report: Reporter): Promise<string> {
  const problem = (summary: string, detail: string): string => {
    report.error({ path, at: 'key', summary, detail })
    return ''
  }
  try {
    const text = (await readBounded(file, LARGEST_BYTES)).toString('utf8').replace(/\r?\n$/, '')
    return text === '' ? problem('File is empty', `${file} holds nothing.`) : text
  } catch (cause) {
    if (cause instanceof TooLarge) return problem('File too large', `${file} is larger than 1 MiB.`)
    return problem('File cannot be read', `${file}: ${explainErrno(errnoOf(cause))}.`)
  }
}

function explainErrno(code: string | undefined): string {
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES' || code === 'EPERM') return 'no permission to read it'
  if (code === 'EISDIR') return 'this is a directory'
  return `reading failed (${code ?? 'unknown'})`
}
