import { readManifest } from '../backup/catalog.ts'
import type { Manifest } from '../backup/manifest.ts'
import type { ManifestArtifact, MongodbManifestArtifact } from '../backup/manifest-artifact.ts'
import { formatBytes } from '../core/units.ts'
import { openLocations } from './compose.ts'
import { requireConfig } from './configuration.ts'
import type { CommandContext, CommonOptions, ExitCode } from './context.ts'
import type { BackupFilter } from './find-backups.ts'
import { findBackups, locationNames, pickBackup } from './find-backups.ts'
import { printJson } from './outcome.ts'
import { formatTable } from './table.ts'

export interface ShowCommand extends CommonOptions, BackupFilter {
  readonly backup: string
}

/** One backup's manifest. */
export async function showCommand(options: ShowCommand, context: CommandContext): Promise<ExitCode> {
  const config = await requireConfig(options, context)
  const { signal } = context
  await using opened = await openLocations(config, locationNames(config, options), { ...context, patience: 'brief' })
  const found = await findBackups(config, opened, options, signal)
  const { backup, location } = pickBackup(found, options.backup)
  const { clusterName } = config.palette
  const manifest = await readManifest(location, { clusterName }, backup, { signal })
  const locations = found.backups
    .filter((one) => one.backup.backupId === backup.backupId)
    .map((one) => one.backup.location)
  if (options.json) printJson({ locations, manifest }, context)
  else context.stdout.write(formatManifest(manifest, locations))
  return 0
}

function formatManifest(manifest: Manifest, locations: readonly string[]): string {
  const facts = [
    ['backup', manifest.backup_id],
    ['installation', manifest.cluster_name],
    ['policy', manifest.policy],
    ['locations', locations.join(', ')],
    ['result', manifest.result],
    ['started', manifest.started_at],
    ['finished', manifest.finished_at],
    ['made by', `palette-backup ${manifest.tool_version}`],
    ...manifest.warnings.map((warning) => ['warning', warning]),
  ]
  const lines = facts.map(([name = '', value]) => `${name.padEnd(14)}${value}`)
  for (const artifact of manifest.artifacts) {
    const { encryption } = artifact
    lines.push(
      '',
      `${artifact.file}  ${formatBytes(artifact.stored_bytes)} (${formatBytes(artifact.bytes)} unpacked)`,
      `  sha256       ${artifact.stored_sha256}`,
      `  encryption   ${encryption ? `${encryption.scheme}, for ${encryption.recipients.join(', ')}` : 'none'}`,
      ...(artifact.source === 'mongodb' ? formatMongodb(artifact.mongodb) : formatKubernetes(artifact.kubernetes)),
    )
  }
  return `${lines.join('\n')}\n`
}

function formatMongodb(facts: MongodbManifestArtifact['mongodb']): string[] {
  const { consistency, member, server_version, collections } = facts
  const { level, at, from, to, reason } = consistency
  const instant = level === 'snapshot' ? `snapshot at ${at}` : `none (${reason}); read from ${from} to ${to}`
  const rows = collections.map((one) => [
    `  ${one.database}.${one.collection}`,
    one.type,
    String(one.documents),
    formatBytes(one.bytes),
  ])
  return [
    `  server       MongoDB ${server_version}${member ? `, ${member.role} ${member.host}` : ''}`,
    `  consistency  ${instant}`,
    '',
    formatTable(['  COLLECTION', 'TYPE', 'DOCUMENTS', 'SIZE'], rows).trimEnd(),
  ]
}

function formatKubernetes(facts: Extract<ManifestArtifact, { source: 'kubernetes' }>['kubernetes']): string[] {
  const rows = Object.entries(facts.objects).map(([kind, count]) => [`  ${kind}`, String(count)])
  return [
    `  server       Kubernetes ${facts.server_version}`,
    `  namespaces   ${facts.namespaces.join(', ')}`,
    ...facts.unread.map(({ what, reason }) => `  not read     ${what}: ${reason}`),
    '',
    formatTable(['  KIND', 'OBJECTS'], rows).trimEnd(),
  ]
}
