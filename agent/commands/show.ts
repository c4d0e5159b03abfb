import { readManifest } from '../backup/catalog.ts'
import { lookAt } from '../backup/look.ts'
import type { Manifest } from '../backup/manifest.ts'
import type { ManifestArtifact, MongodbManifestArtifact } from '../backup/manifest-artifact.ts'
import type { Damage, Proof } from '../backup/proof.ts'
import { readProof } from '../backup/proof.ts'
import type { FailureData } from '../core/errors.ts'
import { failureData } from '../core/errors.ts'
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

/** One backup's manifest, and how far each of its copies is proven. */
export async function showCommand(options: ShowCommand, context: CommandContext): Promise<ExitCode> {
  const config = await requireConfig(options, context)
  const { signal } = context
  await using opened = await openLocations(config, locationNames(config, options), { ...context, patience: 'brief' })
  const found = await findBackups(config, opened, { ...options, look: options.backup === 'latest' }, context)
  const { backup, location } = pickBackup(found, options.backup)
  const { clusterName } = config.palette
  const manifest = await readManifest(location, { clusterName }, backup, { signal })
  const copies = found.backups.filter((one) => one.backup.backupId === backup.backupId)
  const proofs = await Promise.all(
    copies.map(async (copy) => {
      const { proof, damage } = await readProof(copy.location, clusterName, copy.backup, { signal })
      const look = await lookAt(copy.location, { clusterName }, copy.backup, { signal })
      const problem = 'problem' in look ? failureData(look.problem) : null
      return { location: copy.location.name, proof: proof ?? null, damage: damage ?? null, problem }
    }),
  )
  const locations = copies.map((copy) => copy.location.name)
  if (options.json) printJson({ locations, proofs, manifest }, context)
  else context.stdout.write(formatManifest(manifest, locations, proofs))
  return 0
}

interface CopyProof {
  readonly location: string
  readonly proof: Proof | null
  readonly damage: Damage | null
  /** What a look has found against it at this moment. */
  readonly problem: FailureData | null
}

/** Every backup was read back and compared when it was made; what was proven since stands beside it. */
function formatProof({ location, proof, damage, problem }: CopyProof): string {
  if (damage) return `DAMAGED in ${location} (${damage.level}, ${damage.found_at}): ${damage.reason}`
  if (problem) return `NOT WHOLE in ${location}: ${problem.message}`
  if (proof) return `${proof.level} in ${location} (${proof.verified_at}, palette-backup ${proof.tool_version})`
  return `content in ${location}, when it was made; restorable is not proven`
}

function formatManifest(manifest: Manifest, locations: readonly string[], proofs: readonly CopyProof[]): string {
  const facts = [
    ['backup', manifest.backup_id],
    ['installation', manifest.cluster_name],
    ['policy', manifest.policy],
    ['locations', locations.join(', ')],
    ['result', manifest.result],
    ...proofs.map((proof) => ['proven', formatProof(proof)]),
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
  const instant = level === 'snapshot' ? `snapshot at ${at}` : `none (${reason})`
  const rows = collections.map((one) => [
    `  ${one.database}.${one.collection}`,
    one.type,
    String(one.documents),
    formatBytes(one.bytes),
  ])
  return [
    `  server       MongoDB ${server_version}${member ? `, ${member.role} ${member.host}` : ''}`,
    `  consistency  ${instant}; read from ${from} to ${to}`,
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
