import { artifactKey } from '../backup/keys.ts'
import type { Manifest } from '../backup/manifest.ts'
import type { UnpackOptions } from '../backup/unpack.ts'
import { openArtifact } from '../backup/unpack.ts'
import type { Writers } from '../backup/writers.ts'
import { unmanagedWriters } from '../backup/writers.ts'
import type { Config } from '../config/config.ts'
import { Failure, toFailure } from '../core/errors.ts'
import { MINUTE_MS } from '../core/units.ts'
import type { Location } from '../locations/location.ts'
import { AgentUpgrades, type UpgradeSetting } from '../palette/agent-upgrades.ts'
import type { Installation } from '../palette/installation.ts'
import { leftByHand } from '../palette/left-by-hand.ts'
import { preflight } from '../palette/preflight.ts'
import { KubernetesWriters } from '../palette/writers.ts'
import type { PlannedObjects } from '../sources/kubernetes/apply-objects.ts'
import { planObjects } from '../sources/kubernetes/apply-objects.ts'
import { formatFieldChange } from '../sources/kubernetes/differences.ts'
import type { CommandContext } from './context.ts'
import type { OpenedInstallation } from './open-installation.ts'

/** After the databases: what fails here must not be taken for a failure of theirs. */
export async function putObjectsBack(objects: PlannedObjects | undefined, context: CommandContext): Promise<void> {
  try {
    await objects?.apply(context.signal, (what) => context.stderr.write(`${what} is as in the backup\n`))
  } catch (thrown) {
    const { code, message, retryable } = toFailure(thrown)
    throw new Failure(`the databases are restored, the objects of the cluster are not all: ${message}`, {
      code,
      retryable,
      cause: thrown,
    })
  }
}

/** Palette answers some minutes after its pods are ready, and a cancelled restore must give back all the same. */
const GIVE_BACK_MS = 6 * MINUTE_MS

/** The writers of the target: those of its namespace where there is a cluster, else nobody's. */
export function writersOf(config: Config, opened: OpenedInstallation, context: CommandContext): Writers {
  const { client, installation } = opened
  const { clock, stderr } = context
  if (!client) return unmanagedWriters((text) => stderr.write(`WARNING: ${text}\n`))
  const { namespace } = config.palette
  return new KubernetesWriters({ client, namespace, mongodb: installation.statefulSet ?? 'mongo', clock })
}

/** What will be stopped, as a line of the plan; rejects where the rights to do it are missing. */
export async function planStopping(opened: OpenedInstallation, writers: Writers, signal: AbortSignal): Promise<string> {
  if (!(writers instanceof KubernetesWriters)) return ''
  const running = await writers.find({ signal })
  await writers.tryToStop(running, { signal })
  const names = running.map(({ name, replicas }) => `${name} (${replicas})`).join(', ')
  return `  stops    ${names || 'nothing'}, in ${opened.installation.namespace}, and starts them afterwards\n`
}

/** Refuses what must not be restored into this installation; gives what could not be compared. */
export function checkTarget({ installation: from, backup_id: id }: Manifest, target: Installation): readonly string[] {
  const backup = { edition: from?.edition, version: from?.palette_version }
  const { refusals, warnings } = preflight(backup, target)
  if (refusals.length === 0) return warnings
  throw new Failure(`restoring ${id}: ${refusals.join('; ')}`, {
    code: 'refused',
    hint: 'Restore into the same edition and the same or a newer version. Nothing was changed.',
  })
}

export interface ObjectsRequest {
  readonly applySecrets?: boolean
  /** `hubble-system/secrets/configserversecret` */
  readonly objects?: readonly string[]
}

/** What of the cluster's objects is to be put back; undefined when nothing is. The API server has tried it. */
export async function planObjectsOf(
  config: Config,
  { client }: OpenedInstallation,
  { applySecrets, objects = [] }: ObjectsRequest,
  { location, manifest, ...unpack }: UnpackOptions & { location: Location; manifest: Manifest },
): Promise<PlannedObjects | undefined> {
  const secrets = applySecrets ? config.palette.kubernetes.secrets : []
  const paths = [...secrets.map(({ namespace, name }) => `${namespace}/secrets/${name}`), ...objects]
  if (paths.length === 0) return undefined
  const doing = `restoring objects of ${manifest.backup_id}`
  if (!client) {
    const hint = 'Run it in the cluster of Palette, or set provider.palette.kubernetes.server.'
    throw new Failure(`${doing}: there is no Kubernetes API here`, { code: 'config', hint })
  }
  const artifact = manifest.artifacts.find(({ source }) => source === 'kubernetes')
  if (!artifact) {
    const hint = 'It was made without include_cluster_resources_mode, or outside the cluster.'
    throw new Failure(`${doing}: the backup holds none`, { code: 'not_found', hint })
  }
  const { clusterName } = config.palette
  const key = artifactKey(clusterName, manifest.policy, manifest.backup_id, artifact.file)
  const unpacked = openArtifact(location, key, artifact, unpack)
  const { signal } = unpack
  const planned = await planObjects(unpacked.body, { client, objects: [...new Set(paths)], signal })
  unpacked.prove()
  return planned
}

/** Names and sizes of what changes; no value of a Secret is ever printed. */
export function formatObjects({ changes }: PlannedObjects): string {
  const lines = changes.flatMap(({ what, action, fields }) => [
    `    ${what}: ${action === 'none' ? 'is as in the backup already' : action}`,
    ...fields.map((field) => `      ${formatFieldChange(field)}`),
  ])
  return `  objects of the cluster (the API server has accepted them in a dry run):\n${lines.join('\n')}\n`
}

/** Pauses agent upgrades; resolves with how to give back what was set, once Palette answers again. */
export async function pauseUpgrades(
  config: Config,
  { clock, stderr, signal }: CommandContext,
): Promise<(() => Promise<void>) | undefined> {
  const { api } = config.palette
  if (!api) return undefined
  const upgrades = new AgentUpgrades(api, clock)
  const before: UpgradeSetting = await upgrades.read(signal)
  if (before === 'unlock') await upgrades.set('lock', signal)
  return async () => {
    try {
      // The restored database brought the setting of its own time with it.
      await upgrades.set(before, AbortSignal.timeout(GIVE_BACK_MS))
    } catch (thrown) {
      const { message, hint } = toFailure(thrown)
      stderr.write(`Warning: ${message}; set "Pause Agent Upgrades" in the tenant settings by hand. ${hint ?? ''}\n`)
    }
  }
}

export function formatLeftByHand(
  manifest: Manifest,
  target: OpenedInstallation,
  config: Config,
  objects: boolean,
): string {
  const rootDomainOf = (facts: readonly { readonly name: string; readonly value: string }[] = []): string | undefined =>
    facts.find(({ name }) => name === 'root_domain')?.value
  const sentences = leftByHand({
    secretsApplied: objects,
    writersManaged: target.client !== undefined,
    upgradesManaged: config.palette.api !== undefined,
    rootDomains: [rootDomainOf(manifest.installation?.found), rootDomainOf(target.installation.facts)],
  })
  return `\nLeft to do by hand:\n${sentences.map((sentence, index) => `  ${index + 1}. ${sentence}\n`).join('')}`
}
