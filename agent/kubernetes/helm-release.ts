import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { Failure } from '../core/errors.ts'
import { MIB } from '../core/units.ts'
import type { KubernetesObject } from './object.ts'
import { describeObject, textAt, valueAt } from './object.ts'

/** What Helm 3 and 4 remember of one revision of a release. */
export interface HelmRelease {
  readonly name: string
  readonly revision: number
  /** `deployed`, `superseded`, `failed`, ... */
  readonly status: string
  readonly chart: string
  readonly chartVersion: string
  /** The values the operator gave (`helm get values`). */
  readonly values: unknown
}

/** A release record is at most 1 MiB packed; its chart unpacks to some tens. */
const LARGEST_RECORD = 64 * MIB

const unpack = promisify(gunzip)

/**
 * Reads the record in a Secret of type `helm.sh/release.v1`: JSON, packed with gzip, in base64 of Helm's own below that
 * of the Secret (helm.sh/helm, pkg/storage/driver).
 */
export async function readHelmRelease(secret: KubernetesObject): Promise<HelmRelease> {
  const where = `reading the Helm release in ${describeObject(secret)}`
  let record: unknown
  try {
    const own = Buffer.from(textAt(secret, 'data', 'release') ?? '', 'base64').toString('latin1')
    record = JSON.parse(
      (await unpack(Buffer.from(own, 'base64'), { maxOutputLength: LARGEST_RECORD })).toString('utf8'),
    )
  } catch (cause) {
    throw new Failure(`${where}: it is no release record`, { code: 'damaged', cause })
  }
  return {
    name: textAt(record, 'name') ?? '',
    revision: Number(valueAt(record, 'version') ?? 0),
    status: textAt(record, 'info', 'status') ?? 'unknown',
    chart: textAt(record, 'chart', 'metadata', 'name') ?? '',
    chartVersion: textAt(record, 'chart', 'metadata', 'version') ?? '',
    values: valueAt(record, 'config') ?? {},
  }
}

/** The record that is in force: the deployed one, else the newest. Undefined when there is none. */
export function currentRecord(records: readonly KubernetesObject[]): KubernetesObject | undefined {
  const byRevision = [...records].sort((a, b) => revisionOf(b) - revisionOf(a))
  return byRevision.find((record) => record.metadata.labels?.['status'] === 'deployed') ?? byRevision[0]
}

function revisionOf({ metadata }: KubernetesObject): number {
  return Number(metadata.labels?.['version'] ?? 0)
}
