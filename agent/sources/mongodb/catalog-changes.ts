import type { CollectionInfo } from './inventory.ts'

/** What differs between two looks at the same databases, as sentences that name the collection; empty when nothing does. */
export function catalogChanges(before: readonly CollectionInfo[], after: readonly CollectionInfo[]): string[] {
  const now = new Map(after.map((info) => [nameOf(info), info]))
  const then = new Map(before.map((info) => [nameOf(info), info]))
  const changes: string[] = []
  const renamed = new Set<string>()
  for (const [name, info] of then) {
    const same = now.get(name)
    if (same && sameIdentity(info, same)) {
      if (same.type !== info.type) changes.push(`${name} became a ${same.type}`)
      else if (same.metadata !== info.metadata) changes.push(`options or indexes of ${name} were changed`)
      continue
    }
    const moved = after.find((one) => info.uuid !== undefined && one.uuid === info.uuid)
    if (moved) {
      renamed.add(nameOf(moved))
      changes.push(`${name} was renamed to ${nameOf(moved)}`)
    } else {
      changes.push(same ? `${name} was dropped and made again` : `${name} was dropped`)
    }
  }
  for (const name of now.keys()) if (!then.has(name) && !renamed.has(name)) changes.push(`${name} was created`)
  return changes
}

function sameIdentity(a: CollectionInfo, b: CollectionInfo): boolean {
  return a.uuid === undefined || b.uuid === undefined || a.uuid === b.uuid
}

function nameOf({ database, collection }: CollectionInfo): string {
  return `${database}.${collection}`
}
