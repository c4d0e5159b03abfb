import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { UnfinishedRestore } from '../../agent/backup/unfinished-restore.ts'
import { type CommandResult, runCommand } from '../support/agent-process.ts'
import { configurationText, folderText } from '../support/configuration-text.ts'
import { type CollectionContents, contentsOf } from '../support/contents.ts'
import { paletteCollections } from '../support/mongodb/palette-data.ts'
import { seedStore } from '../support/mongodb/palette-load.ts'
import { type MongodbDouble, type MongodbOptions, startMongodb } from '../support/mongodb/server.ts'

export const DATABASES = ['hubbledb', 'hubble_timeseriesdb', 'hubble_archivedb']

/** An installation with a backup of it on disk, and a server to restore into; the real command line. */
export class RestoreWorld implements AsyncDisposable {
  readonly folder: string
  readonly source: MongodbDouble
  readonly target: MongodbDouble
  readonly env: Record<string, string>
  readonly configFile: string

  private constructor(folder: string, source: MongodbDouble, target: MongodbDouble, env: Record<string, string>) {
    this.folder = folder
    this.source = source
    this.target = target
    this.env = env
    this.configFile = join(folder, 'palette-backup.yaml')
  }

  static async start(
    options: {
      readonly bytes?: number
      /** Also collections, indexes and views of every kind. */
      readonly allTypes?: boolean
      readonly target?: MongodbOptions
      readonly encrypted?: boolean
    } = {},
  ) {
    const folder = await mkdtemp(join(tmpdir(), 'restore-'))
    const [source, target] = await Promise.all([startMongodb(), startMongodb(options.target)])
    const { bytes = 2_000_000, allTypes = false } = options
    seedStore(source.store, paletteCollections({ bytes, allTypes }))
    const env = { MONGODB_URI: source.uri, TARGET_URI: target.uri }
    const world = new RestoreWorld(folder, source, target, env)
    await mkdir(join(folder, 'nas'))
    const encryption: string[] = []
    if (options.encrypted) {
      const identity = await generateX25519Identity()
      await writeFile(join(folder, 'identity.txt'), `${identity}\n`)
      await writeFile(join(folder, 'other.txt'), `${await generateX25519Identity()}\n`)
      encryption.push(`encryption: { age_recipients: [${await identityToRecipient(identity)}] }`)
    }
    await writeFile(world.configFile, configuration(join(folder, 'nas'), encryption))
    const made = await world.run(['backup', '--json'])
    if (made.code !== 0) throw new Error(made.stderr + made.stdout)
    return world
  }

  run(args: readonly string[], input?: string): Promise<CommandResult> {
    return runCommand(this, args, input)
  }

  restore(args: readonly string[] = [], input = 'RESTORE prod\n'): Promise<CommandResult> {
    return this.run(['restore', 'latest', '--to-uri-env', 'TARGET_URI', ...args], input)
  }

  contents(uri = this.target.uri, databases = DATABASES): Promise<CollectionContents[]> {
    return contentsOf(uri, databases)
  }

  /** Objects of the location whose key ends so. */
  async stored(ending: string): Promise<string[]> {
    const names = await readdir(join(this.folder, 'nas'), { recursive: true })
    return names.filter((name) => name.endsWith(ending)).map((name) => join(this.folder, 'nas', name))
  }

  /** What the location says of a restore that was begun. */
  async record(): Promise<UnfinishedRestore | undefined> {
    const [file] = (await this.stored('.json')).filter((name) => name.includes('/.restores/'))
    if (!file) return undefined
    try {
      return UnfinishedRestore.parse(JSON.parse(await readFile(file, 'utf8')))
    } catch {
      return undefined
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.source.stop(), this.target.stop()])
    await rm(this.folder, { recursive: true })
  }
}

function configuration(path: string, attributes: readonly string[]): string {
  return configurationText({
    clusterName: 'prod',
    uriEnv: 'MONGODB_URI',
    locations: [folderText('nas', path)],
    policy: 'nightly',
    policyLocations: ['nas'],
    attributes: ['schedule: "0 2 * * *"', 'retention_period: 14', ...attributes],
  })
}
