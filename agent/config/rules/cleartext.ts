import type { Path } from '../document.ts'
import type { Resolved } from '../references.ts'
import type { Reporter } from '../reporter.ts'
import type { ConfigFileValue } from '../schema.ts'
import { alternatives } from '../suggestion.ts'

type RawPolicy = Resolved<ConfigFileValue>['resource']['backup_policy'][string]

/**
 * What will lie or travel readable is said, until the policy says that it is meant. `holdsSecrets`: the backups may
 * hold Secrets of the cluster.
 */
export function checkCleartext(
  raw: RawPolicy,
  { value, holdsSecrets }: { readonly value: Resolved<ConfigFileValue>; readonly holdsSecrets: boolean },
  path: Path,
  report: Reporter,
): void {
  if (raw.allow_cleartext) {
    if (raw.encryption) {
      const detail = 'It has no effect beside encryption. Remove one of the two.'
      report.warning({ path: [...path, 'allow_cleartext'], at: 'key', summary: 'Attribute without use', detail })
    }
    return
  }
  if (raw.encryption) return
  const contents = holdsSecrets ? "Palette's databases and, from a cluster, its Secrets" : "Palette's databases"
  const detail =
    `Whoever gets at the backups in ${alternatives(raw.backup_locations)} can read ${contents}. ` +
    'Set encryption: { age_recipients: [age1...] }, or allow_cleartext: true if that is meant.'
  report.warning({ path: [...path, 'encryption'], at: 'key', summary: 'Backups stored without encryption', detail })
  if (holdsSecrets) refuseSecretsInClear(raw, value, path, report)
}

/** Palette's Secrets open every cluster it manages: they must not cross a network for everybody to read. */
function refuseSecretsInClear(
  { backup_locations: names }: RawPolicy,
  { resource }: Resolved<ConfigFileValue>,
  path: Path,
  report: Reporter,
): void {
  for (const [index, name] of names.entries()) {
    if (resource.backup_storage_location[name]?.ftp?.tls !== 'none') continue
    const detail =
      `"${name}" is an FTP server without TLS, and in a cluster the backups hold Secrets. ` +
      'Set encryption, or tls, or include_cluster_resources_mode: never, or allow_cleartext: true.'
    report.error({ path: [...path, 'backup_locations', index], summary: 'Secrets in clear', detail })
  }
}
