import { ConnectionString } from 'mongodb-connection-string-url'
import { connectionStringProblem } from '../../core/connection-string.ts'

/**
 * Which part of a connection string the driver refuses, as the rest of a sentence; `open` is what threw. The driver's own
 * words may quote the password: what is left out until it takes the rest says the same.
 */
export function refusedPart(uri: string, open: (uri: string) => unknown): string | undefined {
  const problem = connectionStringProblem(uri)
  if (problem) return problem.what
  const names = optionsOf(uri)
  const name = names.find((one) => isTaken(uri, [one], open))
  if (name !== undefined) return `its option ${name} has a value that is none for it, or does not go with the rest`
  return names.length > 0 && isTaken(uri, names, open)
    ? `its options ${names.join(', ')} have values that are none for them, or do not go together`
    : undefined
}

/** Every name is known: others have been refused before. */
function optionsOf(uri: string): string[] {
  try {
    return [...new Set(new ConnectionString(uri).searchParams.keys())]
  } catch {
    return []
  }
}

function isTaken(uri: string, without: readonly string[], open: (uri: string) => unknown): boolean {
  try {
    const rest = new ConnectionString(uri)
    for (const name of without) rest.searchParams.delete(name)
    open(rest.toString())
    return true
  } catch {
    return false
  }
}
