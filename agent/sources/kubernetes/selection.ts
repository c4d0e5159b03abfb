import type { KubernetesConfig, NamespacedName } from '../../config/config.ts'
import type { Resource } from '../../kubernetes/object.ts'
import { CONFIG_MAPS, resourceName, SECRETS } from '../../kubernetes/object.ts'

/** Namespaces of Palette's chart, with the name each of its releases uses or has used for its ingress. */
export const PALETTE_NAMESPACES: readonly string[] = [
  'cert-manager',
  'cp-system',
  'imageswap-system',
  'ingress-nginx',
  'ingress-traefik',
  'jet-system',
  'palette-system',
  'reach-system',
  'ui-system',
]
const VERSION_CONFIG_MAP = 'spectro-mgmt-version'

/** Account and key file of MongoDB: the target of a restore keeps its own. */
const NEVER_SAVED: readonly string[] = ['spectromongosecret', 'spectro-mongodb-replicaset-key']

/** What lives for minutes and means nothing to another cluster. */
const TRANSIENT: ReadonlySet<string> = new Set([
  'bindings',
  'controllerrevisions.apps',
  'endpoints',
  'endpointslices.discovery.k8s.io',
  'events',
  'events.events.k8s.io',
  'leases.coordination.k8s.io',
  'pods',
  'pods.metrics.k8s.io',
])

/** Objects of one kind in one namespace: those of these names, all of a Helm release, or all. */
export interface Step {
  readonly namespace: string
  readonly resource: Resource
  readonly names: readonly Wanted[]
  readonly helmReleases: readonly string[]
  readonly all: boolean
}

export interface Wanted {
  readonly name: string
  /** Without it Palette cannot be restored. */
  readonly required: boolean
}

/** The Secrets and the ConfigMap that describe and open the installation. */
export function criticalSteps(namespace: string, config: KubernetesConfig): Step[] {
  const secrets = [
    ...config.secrets.map((secret) => ({ ...secret, required: true })),
    ...config.optionalSecrets.map((secret) => ({ ...secret, required: false })),
  ].filter((secret) => !isNeverSaved(namespace, SECRETS, secret))
  const namespaces = new Set([...secrets, ...config.helmReleases].map((one) => one.namespace))
  return sortSteps([
    {
      namespace,
      resource: CONFIG_MAPS,
      names: [{ name: VERSION_CONFIG_MAP, required: false }],
      helmReleases: [],
      all: false,
    },
    ...[...namespaces].map((of) => ({
      namespace: of,
      resource: SECRETS,
      names: secrets.filter((secret) => secret.namespace === of).sort(byName),
      helmReleases: config.helmReleases.filter((release) => release.namespace === of).map(({ name }) => name),
      all: false,
    })),
  ])
}

/** Every kind of object of the namespaces, and what `critical` names elsewhere. */
export function allSteps(
  critical: readonly Step[],
  namespaces: readonly string[],
  resources: readonly Resource[],
): Step[] {
  const kept = resources.filter((resource) => !TRANSIENT.has(resourceName(resource)))
  const all = namespaces.flatMap((namespace) =>
    kept.map((resource): Step => {
      const known = critical.find((step) => isSame(step, namespace, resource))
      return { namespace, resource, names: known?.names ?? [], helmReleases: [], all: true }
    }),
  )
  const elsewhere = critical.filter((step) => !all.some((one) => isSame(one, step.namespace, step.resource)))
  return sortSteps([...all, ...elsewhere])
}

export function isNeverSaved(namespace: string, resource: Resource, object: NamespacedName): boolean {
  return resource.kind === 'Secret' && object.namespace === namespace && NEVER_SAVED.includes(object.name)
}

function isSame(step: Step, namespace: string, resource: Resource): boolean {
  return step.namespace === namespace && resourceName(step.resource) === resourceName(resource)
}

function sortSteps(steps: readonly Step[]): Step[] {
  const key = ({ namespace, resource }: Step): string => `${namespace}/${resourceName(resource)}`
  return [...steps].sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

function byName(a: Wanted, b: Wanted): number {
  return a.name < b.name ? -1 : 1
}
