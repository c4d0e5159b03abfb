import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import type { Minio } from '../peers/servers/minio.ts'
import { peerBinary } from '../peers/servers/peer.ts'
import { NODE_AS_SHIPPED } from './as-shipped.ts'
import { benchConfigurationText } from './bench-configuration.ts'
import { measureCommand, median, type Usage } from './measure.ts'
import { startProcess } from './process.ts'

export interface RestoreBench {
  readonly minio: Minio
  readonly rcloneRemote: string
  /** Where the measuring programs find the source, MinIO and its keys. */
  readonly env: Readonly<Record<string, string>>
  readonly app: string
  readonly root: string
  readonly folder: string
  readonly rounds: number
}

type Contest = 'backup' | 'backup age' | 'restore' | 'restore age' | 'mongorestore'
const CONTESTS: readonly Contest[] = ['backup', 'backup age', 'restore', 'restore age', 'mongorestore']

/**
 * Our restore (proof of the artifact, restore, comparison with the target) against the pipeline by hand, which proves
 * nothing; and what age costs. Each restore goes into an empty wire double of its own.
 */
export async function benchRestore(bench: RestoreBench): Promise<Readonly<Record<string, number>>> {
  const { app, folder, root, minio, rcloneRemote } = bench
  const identity = await generateX25519Identity()
  const identityFile = join(folder, 'identity.txt')
  await writeFile(identityFile, `${identity}\n`)
  const plain = join(folder, 'restore-plain.yaml')
  const sealed = join(folder, 'restore-age.yaml')
  const withoutObjects = ['include_cluster_resources_mode: never']
  await writeFile(plain, benchConfigurationText(minio.bucket, 'plain', withoutObjects))
  const recipient = await identityToRecipient(identity)
  const encryption = `encryption: { age_recipients: [${recipient}] }`
  await writeFile(sealed, benchConfigurationText(minio.bucket, 'sealed', [...withoutObjects, encryption]))
  const stock = `${rcloneRemote}/restore-stock`
  const [mongodump, rclone, mongorestore] = ['mongodump', 'rclone', 'mongorestore'].map(peerBinary)
  await measureCommand(
    `${mongodump} --quiet --uri "$BENCH_URI" --archive | zstd -q -1 -T2 | ${rclone} rcat "${stock}"`,
    bench.env,
  )
  const ours = `${NODE_AS_SHIPPED} ${app}`
  const restore = `restore latest --to-uri-env TARGET_URI --yes --no-safety-backup --json`
  const commands: Readonly<Record<Contest, string>> = {
    backup: `${ours} backup --config ${plain} --json`,
    'backup age': `${ours} backup --config ${sealed} --json`,
    restore: `${ours} ${restore} --config ${plain}`,
    'restore age': `${ours} ${restore} --config ${sealed} --identity-file ${identityFile}`,
    mongorestore: `${rclone} cat "${stock}" | zstd -q -d | ${mongorestore} --quiet --uri "$TARGET_URI" --archive`,
  }
  const usages = new Map<Contest, Usage[]>(CONTESTS.map((name) => [name, []]))
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const name of CONTESTS) {
      await using target = await startProcess([`${root}test/support/mongodb/main.ts`], /"uri":"([^"]+)"/)
      const usage = await measureCommand(commands[name], { ...bench.env, TARGET_URI: target.match })
      usages.get(name)?.push(usage)
      const peaks = Object.entries(usage.peakMib).map(([process, mib]) => `${process} ${mib.toFixed(0)} MiB`)
      const { wallSeconds, cpuSeconds } = usage
      console.log(
        `${name.padEnd(13)}${wallSeconds.toFixed(2)} s wall, ${cpuSeconds.toFixed(2)} s cpu, ${peaks.join(', ')}`,
      )
    }
  }
  const wall = (name: Contest) => median(usages.get(name)?.map(({ wallSeconds }) => wallSeconds) ?? [])
  const peak = Math.max(...(usages.get('restore') ?? []).flatMap(({ peakMib }) => Object.values(peakMib)))
  return {
    restore_vs_mongorestore: round(wall('restore') / wall('mongorestore')),
    restore_age_vs_plain: round(wall('restore age') / wall('restore')),
    backup_age_vs_plain: round(wall('backup age') / wall('backup')),
    restore_peak_rss_mib: round(peak),
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
