import { z } from 'zod'

/** A value that is kept elsewhere: an environment variable, or a file that is watched and read again when it changes. */
export type Reference = { readonly $env: string } | { readonly $file: string }

export const VARIABLE_NAME = /^[^=$\s]+$/

/** What an operator may write where a text is wanted. */
export type TextInput = string | Reference

declare module 'zod' {
  interface GlobalMeta {
    /** Never shown: not in a message, not in a plan, not in a quoted line. */
    readonly sensitive?: boolean
    /** `{ $env: NAME }` and `{ $file: path }` are taken, too. */
    readonly reference?: boolean
    /** The variable that counts where the file says nothing. */
    readonly environment?: string
    /** What to write instead; editors show it. */
    readonly deprecationMessage?: string
  }
}

interface Fallback {
  readonly environment?: string
}

/** A text, literal or by reference; from the `environment` variable where the file says nothing. */
export function text(description: string, fallback: Fallback = {}) {
  return textInput().meta({ reference: true, description, ...fallback })
}

/** A text that nobody may see. */
export function secret(description: string, fallback: Fallback = {}) {
  return textInput().meta({ reference: true, sensitive: true, description, ...fallback })
}

/** How long something takes at most: `90s`, `30m`, `12h`, `7d`. */
export function duration(description: string) {
  const expected = 'Expected a number and a unit, as in 90s, 30m, 12h or 7d.'
  return z
    .string(expected)
    .regex(/^[1-9]\d{0,5}[smhd]$/, expected)
    .describe(description)
}

/** For an attribute that is still read, and warned about. */
export function deprecated(deprecationMessage: string) {
  return { deprecated: true, deprecationMessage, description: `Deprecated. ${deprecationMessage}` }
}

function textInput() {
  return z.custom<TextInput>((value) => textProblem(value) === undefined, {
    error: ({ input }) => textProblem(input) ?? '',
  })
}

export function isReference(value: unknown): value is Reference {
  return typeof value === 'object' && value !== null && ('$env' in value || '$file' in value)
}

/** What is wrong with a value where a text is wanted, in words that quote nothing of it. */
function textProblem(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? 'It must not be empty.' : undefined
  if (typeof value === 'number' || typeof value === 'boolean') {
    return `Expected a string, found a ${typeof value}. Put the value in quotes.`
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'Expected a string, { $env: NAME } or { $file: path }.'
  }
  const [key, ...others] = Object.keys(value)
  if ((key !== '$env' && key !== '$file') || others.length > 0) {
    return 'Expected a string, { $env: NAME } or { $file: path }; each of the two stands alone in its map.'
  }
  const name: unknown = Object.values(value)[0]
  if (key === '$file') return typeof name === 'string' && name !== '' ? undefined : '$file takes the path of a file.'
  if (typeof name === 'string' && VARIABLE_NAME.test(name)) return undefined
  return '$env takes the name of an environment variable, as it is: without $ and braces.'
}
