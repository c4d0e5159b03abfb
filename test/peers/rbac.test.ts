import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { CI_VALUES, renderChart } from './servers/helm.ts'
import { peersMissing } from './servers/peer.ts'

/** docs/rbac.json is what the program was seen to need; the chart must give that, and nothing else. */
describe.skipIf(peersMissing('helm'))('the rights that the chart gives', () => {
  it.each([
    ['to back up', 'backup', []],
    ['to restore', 'restore', ['--set', 'restore.enabled=true']],
  ])('%s are those of docs/rbac.json', async (_, part, values) => {
    const list: unknown = JSON.parse(await readFile(new URL('../../docs/rbac.json', import.meta.url), 'utf8'))
    const wanted: { namespace: string; rules: Rule[] }[] = Reflect.get(Object(list), part)
    const objects = await renderChart('-f', CI_VALUES['default'] ?? '', ...values)
    expect(objects.filter(({ kind }) => kind.startsWith('Cluster'))).toEqual([])
    const given = objects
      .filter(({ kind, metadata }) => kind === 'Role' && metadata.name.endsWith('-restore') === (part === 'restore'))
      .flatMap((role) => flat(role.metadata.namespace, Object(role)['rules']))
    expect([...new Set(given)].sort()).toEqual(wanted.flatMap(({ namespace, rules }) => flat(namespace, rules)).sort())
  })
})

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** `hubble-system: get secrets/configserversecret` */
function flat(namespace: string, rules: readonly Rule[]): string[] {
  return rules.flatMap(({ apiGroups, resources, resourceNames = ['*'], verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        resourceNames.flatMap((name) => verbs.map((verb) => `${namespace}: ${verb} ${resource}.${group}/${name}`)),
      ),
    ),
  )
}
