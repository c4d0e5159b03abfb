import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { expect } from 'vitest'
import { type AgentOptions, type CommandResult, runCommand, startCommand } from '../support/agent-process.ts'
import { configurationText } from '../support/configuration-text.ts'
import { type MongodbDouble, startMongodb } from '../support/mongodb/server.ts'
import { sendIfAlive } from '../support/processes.ts'

/** Runs of the real program into one location, killed where they are held or left to their faults; the source is the wire double. */
export class RunWorld implements AsyncDisposable {
  readonly folder: string
  readonly options: AgentOptions
  readonly #source: MongodbDouble
  /** Ids of the backups that are known to be there. */
  #known: ReadonlySet<string> = new Set()

  private constructor(folder: string, options: AgentOptions, source: MongodbDouble) {
    this.folder = folder
    this.options = options
    this.#source = source
  }

  /** `location` is the text of one in the configuration, or what gives it. Makes one backup. */
  static async start(
    location: string | ((folder: string) => string | Promise<string>),
    { keepMinimum = 3 } = {},
  ): Promise<RunWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'palette-backup-kill-'))
    await mkdir(join(folder, 'disk'))
    const source = await startMongodb()
    const client = new MongoClient(source.uri)
    // Random: what compresses well would fit one part.
    const documents = Array.from({ length: 20 }, (_, _id) => ({ _id, bytes: randomBytes(900_000) }))
    for (const document of documents)
      await client.db('hubbledb').collection<{ _id: number }>('clusters').insertOne(document)
    await client.close()
    const configFile = join(folder, 'palette-backup.yaml')
    await writeFile(
      configFile,
      configuration(typeof location === 'string' ? location : await location(folder), keepMinimum),
    )
    const world = new RunWorld(folder, { configFile, env: { MONGODB_URI: source.uri } }, source)
    await world.#backup()
    return world
  }

  /** Starts a run, waits until it is held, and kills it. `hold` is asked then: a listing looks at backups too. */
  async killAt(hold: () => Promise<void>, env: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#known = await this.list()
    const held = hold()
    const child = startCommand({ ...this.options, env: { ...this.options.env, ...env } }, ['backup', 'nightly'])
    const ended = once(child, 'exit')
    const early = ended.then(([code]) => Promise.reject(new Error(`the run ended with ${code} and was not held`)))
    await Promise.race([held, early])
    early.catch(() => undefined)
    if (child.pid !== undefined) sendIfAlive(child.pid, 'SIGKILL')
    await ended
  }

  /** What must hold after a kill. `stored` gives everything that the location keeps, listed or not. */
  async expectRecovery(exists: boolean, stored: () => Promise<readonly string[]>): Promise<void> {
    const left = await this.list()
    expect([...this.#known].filter((id) => !left.has(id))).toEqual([])
    expect(left.size - this.#known.size).toBe(exists ? 1 : 0)
    await this.#backup()
    const after = await this.list()
    expect(after.size).toBe(left.size + 1)
    expect((await stored()).filter((file) => ![...after].some((id) => file.includes(id)))).toEqual([])
    expect((await stored()).filter((file) => file.endsWith('.tmp'))).toEqual([])
  }

  async expectAllWhole(): Promise<void> {
    const verified = await runCommand(this.options, ['verify', 'all', '--level', 'stored'])
    expect(verified, verified.stderr).toMatchObject({ code: 0 })
  }

  async list(): Promise<ReadonlySet<string>> {
    const listed = await runCommand(this.options, ['list', '--json'])
    expect(listed, listed.stderr).toMatchObject({ code: 0 })
    const { backups } = JSON.parse(listed.stdout) as { backups: readonly { readonly backupId: string }[] }
    return new Set(backups.map(({ backupId }) => backupId))
  }

  /** A run to its end, whatever that is. */
  run(): Promise<CommandResult> {
    return runCommand(this.options, ['backup', 'nightly', '--json'])
  }

  async #backup(): Promise<void> {
    const made = await this.run()
    expect(made, `${made.stdout}${made.stderr}`).toMatchObject({ code: 0 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source[Symbol.asyncDispose]()
    await rm(this.folder, { recursive: true, force: true })
  }
}

function configuration(location: string, keepMinimum: number): string {
  return configurationText({
    clusterName: 'prod',
    uriEnv: 'MONGODB_URI',
    locations: [`    there:\n      ${location}\n`],
    policy: 'nightly',
    policyLocations: ['there'],
    attributes: [
      'schedule: "0 0 1 1 *"',
      'retention_period: 400',
      'catch_up: false',
      `keep_minimum: ${keepMinimum}`,
      'include_databases: [hubbledb]',
      'include_cluster_resources: false',
    ],
  })
}
