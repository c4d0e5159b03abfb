import type { Config, MongodbConfig, PolicyConfig } from '../config/config.ts'
import type { Clock } from '../core/clock.ts'
import { Failure } from '../core/errors.ts'
import { createKubernetesSource, kubernetesFormat } from '../sources/kubernetes/kubernetes-source.ts'
import { createMongodbSource, mongodbFormat } from '../sources/mongodb/mongodb-source.ts'
import type { RestorableSource, Source } from '../sources/source.ts'
import type { OpenedInstallation } from './open-installation.ts'

/** What stored artifacts can be read with: neither MongoDB nor a cluster is needed for it. */
export const ARTIFACT_FORMATS: readonly Pick<Source, 'name' | 'inspect'>[] = [mongodbFormat, kubernetesFormat]

export interface SourceSettings {
  readonly toolVersion: string
  readonly clock: Clock
  readonly withoutSnapshot?: string
}

/** MongoDB first, then the objects of the cluster where the policy includes them and there is one. */
export function openSources(
  { palette }: Config,
  policy: PolicyConfig,
  opened: OpenedInstallation,
  settings: SourceSettings,
): readonly Source[] {
  const { client, installation } = opened
  const mongodb = openMongodb(policy, installation.mongodb, settings)
  const mode = policy.includeClusterResources
  if (mode === 'never') return [mongodb]
  if (!client) {
    if (mode === 'auto') return [mongodb]
    throw new Failure(`backup_policy.${policy.name} includes cluster resources, and there is no Kubernetes API here`, {
      code: 'config',
      hint: 'Run the agent in the cluster of Palette, or set provider.palette.kubernetes.server.',
    })
  }
  const kubernetes = createKubernetesSource({
    client,
    namespace: palette.namespace,
    kubernetes: palette.kubernetes,
    clock: settings.clock,
    ...(mode === 'always' ? { namespaces: policy.namespaces ?? 'default' } : {}),
  })
  return [mongodb, kubernetes]
}

export function openMongodb(policy: PolicyConfig, mongodb: MongodbConfig, settings: SourceSettings): RestorableSource {
  const { includeDatabases: databases, maxBytesPerSecond, extendSnapshotWindow } = policy
  return createMongodbSource({
    ...settings,
    ...{ mongodb, databases },
    ...(maxBytesPerSecond === undefined ? {} : { maxBytesPerSecond }),
    ...(extendSnapshotWindow === undefined ? {} : { extendSnapshotWindow }),
  })
}
