import type { KubernetesObject } from '../../kubernetes/object.ts'
import { describeObject } from '../../kubernetes/object.ts'

const ROOT_ACCOUNT = "the target keeps its own account of MongoDB's root"
const KEY_FILE = 'the members of the target trust each other by its own key file'
const CERTIFICATE = 'the target keeps its own certificates'

const BY_NAME: Readonly<Record<string, string>> = {
  spectromongosecret: ROOT_ACCOUNT,
  'spectro-mongodb-replicaset-key': KEY_FILE,
  'mongo-tls': CERTIFICATE,
  'auth-tls': CERTIFICATE,
  'default-ssl-certificate': CERTIFICATE,
}

const BY_TYPE: Readonly<Record<string, string>> = {
  'kubernetes.io/tls': CERTIFICATE,
  'kubernetes.io/service-account-token': 'tokens are made by the cluster they are for',
  'helm.sh/release.v1': 'only Helm may write its records: install with the values that lie beside them in the archive',
}

/** Why an object of a backup is never put back; undefined where it may be. */
export function whyProtected(object: KubernetesObject): string | undefined {
  if (object.kind !== 'Secret' && object.kind !== 'ConfigMap') {
    return 'only Secrets and ConfigMaps are put back; everything else is made by the chart of Palette'
  }
  if (object.kind === 'ConfigMap') return undefined
  return BY_NAME[object.metadata.name] ?? BY_TYPE[String(object['type'])]
}

/** `Secret hubble-system/mongo-tls is not put back: the target keeps its own certificates` */
export function describeProtected(object: KubernetesObject, why: string): string {
  return `${describeObject(object)} is not put back: ${why}`
}
