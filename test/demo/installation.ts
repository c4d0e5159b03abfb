import { createHash } from 'node:crypto'
import { MongoClient } from 'mongodb'
import { startFtp } from '../support/ftp/server.ts'
import { paletteCollections } from '../support/mongodb/palette-data.ts'
import { loadCollections, seedStore } from '../support/mongodb/palette-load.ts'
import { startMongodb } from '../support/mongodb/server.ts'
import { startS3 } from '../support/s3/server.ts'

const DATABASES = ['hubbledb', 'hubble_timeseriesdb', 'hubble_archivedb']
const SEED_BYTES = 24 * 1024 * 1024

/** What stands in for Palette and its backup locations: MongoDB with Palette-like data, an S3 and an FTP server. */
export class Installation implements AsyncDisposable {
  readonly mongodb: string
  readonly s3Url: string
  readonly ftpUrl: string
  readonly env: Readonly<Record<string, string>>
  readonly #client: MongoClient
  readonly #stops: (() => Promise<unknown>)[]

  private constructor(
    facts: Pick<Installation, 'mongodb' | 's3Url' | 'ftpUrl' | 'env'>,
    client: MongoClient,
    stops: (() => Promise<unknown>)[],
  ) {
    this.mongodb = facts.mongodb
    this.s3Url = facts.s3Url
    this.ftpUrl = facts.ftpUrl
    this.env = facts.env
    this.#client = client
    this.#stops = stops
  }

  static async start(mongodbUri: string | undefined): Promise<Installation> {
    const collections = paletteCollections({ bytes: SEED_BYTES })
    const double = mongodbUri === undefined ? await startMongodb() : undefined
    if (double) seedStore(double.store, collections)
    const uri = mongodbUri ?? double?.uri ?? ''
    const client = new MongoClient(uri)
    if (mongodbUri !== undefined) {
      await refuseExisting(client)
      await loadCollections(client, collections)
    }
    const s3 = await startS3({ bucket: 'palette-backups' })
    const ftp = await startFtp({ username: 'backup', password: 'ftp-demo-password' })
    const env = {
      DEMO_MONGODB_URI: uri,
      DEMO_S3_URL: s3.url,
      DEMO_S3_ACCESS_KEY: s3.accessKey,
      DEMO_S3_SECRET_KEY: s3.secretKey,
      DEMO_FTP_SERVER: `127.0.0.1:${ftp.port}`,
      DEMO_FTP_PASSWORD: 'ftp-demo-password',
    }
    const facts = {
      mongodb: double ? uri : 'as given',
      s3Url: s3.url,
      ftpUrl: `ftp://127.0.0.1:${ftp.port}`,
      env,
    }
    const stops = [() => client.close(), () => s3.stop(), () => ftp.stop(), async () => await double?.stop()]
    return new Installation(facts, client, stops)
  }

  /** Number of documents of a database, and a digest over their bytes whatever their order. */
  async digest(database: string): Promise<{ documents: number; sha256: string }> {
    const db = this.#client.db(database)
    const hashes: string[] = []
    for (const { name } of await db.listCollections({}, { nameOnly: true }).toArray()) {
      for await (const document of db.collection(name).find({}, { raw: true })) {
        const bytes: unknown = document
        if (bytes instanceof Uint8Array) hashes.push(createHash('sha256').update(name).update(bytes).digest('hex'))
      }
    }
    return { documents: hashes.length, sha256: createHash('sha256').update(hashes.sort().join()).digest('hex') }
  }

  async drop(database: string): Promise<void> {
    await this.#client.db(database).dropDatabase()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stops.splice(0)) await stop()
  }
}

/** The demo drops a database: it must be one that the demo made. */
async function refuseExisting(client: MongoClient): Promise<void> {
  const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true })
  const existing = databases.map(({ name }) => name).filter((name) => DATABASES.includes(name))
  if (existing.length > 0) {
    throw new Error(
      `the given MongoDB already has ${existing.join(', ')}; the demo drops and restores databases of that name`,
    )
  }
}
