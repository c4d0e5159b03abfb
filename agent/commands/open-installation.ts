import type { Config, MongodbConfig } from '../config/config.ts'
import type { Clock } from '../core/clock.ts'
import { Failure } from '../core/errors.ts'
import type { RunEvent } from '../core/events.ts'
import { findAccess } from '../kubernetes/access.ts'
import { KubernetesClient } from '../kubernetes/client.ts'
import { discover } from '../palette/discover.ts'
import type { Installation } from '../palette/installation.ts'

export interface InstallationContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** The installation, and the cluster it is in where one can be reached. */
export interface OpenedInstallation extends Disposable {
  readonly installation: Installation
  readonly client: KubernetesClient | undefined
}

/**
 * What the file says about the installation, and through the Kubernetes API what it does not say. Rejects when nobody says
 * how to reach MongoDB. `mongodb`: another server than that of the installation.
 */
export async function openInstallation(
  { palette }: Config,
  { env, clock, signal }: InstallationContext,
  mongodb = palette.mongodb,
): Promise<OpenedInstallation> {
  const access = findAccess(palette.kubernetes, env)
  if (!access) return { installation: withoutCluster(palette, mongodb), client: undefined, [Symbol.dispose]: () => {} }
  const client = new KubernetesClient(access, clock)
  try {
    const installation = await discover({ client, palette: mongodb ? { ...palette, mongodb } : palette, signal })
    return { installation, client, [Symbol.dispose]: () => client[Symbol.dispose]() }
  } catch (thrown) {
    client[Symbol.dispose]()
    throw thrown
  }
}

/** What a run tells about the installation it has found. */
export function installationFound(runId: string, { facts, certificates, problems }: Installation): RunEvent {
  const expiring = certificates.map(({ certificate, expiresAt }) => ({
    certificate,
    expiresAt: expiresAt.toISOString(),
  }))
  return { type: 'installation.found', runId, facts, certificates: expiring, problems }
}

function withoutCluster(palette: Config['palette'], mongodb: MongodbConfig | undefined): Installation {
  if (!mongodb) {
    throw new Failure(
      'looking for MongoDB: provider.palette.mongodb.uri is not set, and there is no Kubernetes API here',
      {
        code: 'config',
        hint: 'Run the agent in the cluster of Palette, where MongoDB is found, or give the uri of the MongoDB.',
      },
    )
  }
  const { namespace, edition, paletteVersion: version } = palette
  const said = { namespace, edition, version, mongodb: 'uri' }
  return {
    namespace,
    ...(edition === undefined ? {} : { edition }),
    ...(version === undefined ? {} : { version }),
    mongodb,
    facts: Object.entries(said).flatMap(([name, value]) =>
      value === undefined ? [] : [{ name, value, from: 'configuration' }],
    ),
    certificates: [],
    problems: [],
  }
}
