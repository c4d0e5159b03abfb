import { CommandError } from './errors.ts'
import type { Request } from './wire.ts'

/** The collection a command is about: the value of its first field, or `collection` of `getMore`. */
export function collectionArgument(request: Request): string {
  const name = request.fields[request.name === 'getMore' ? 'collection' : request.name]
  if (typeof name === 'string' && name !== '') return name
  throw new CommandError(73, `collection name has invalid type in ${request.name}`)
}

export function numberArgument(request: Request, name: string): number | undefined {
  const value = request.fields[name]
  return typeof value === 'number' ? value : undefined
}

export function stringArgument(fields: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = fields[name]
  return typeof value === 'string' ? value : undefined
}

export function recordArgument(
  fields: Readonly<Record<string, unknown>>,
  name: string,
): Readonly<Record<string, unknown>> {
  const value = fields[name]
  return isRecord(value) ? value : {}
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

export function documentsArgument(request: Request, name: string): readonly Buffer[] {
  const documents = request.sequences.get(name)
  if (documents) return documents
  throw new CommandError(40414, `BSON field '${request.name}.${name}' is missing but a required field`)
}
