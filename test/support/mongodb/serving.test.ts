import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { MongoClient } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { selfSignedCertificate } from './certificate.ts'
import { encode } from './encode.ts'
import { startMongodb } from './server.ts'

async function read(client: MongoClient, collection: string, batchSize: number): Promise<Buffer> {
  const documents: Buffer[] = []
  for await (const document of client.db('app').collection(collection).find({}, { raw: true, batchSize })) {
    if (document instanceof Uint8Array) documents.push(Buffer.from(document))
  }
  return Buffer.concat(documents)
}

describe('prepared collections', () => {
  it('serve what others serve, at every batch size, again and again, and after writes', async () => {
    await using double = await startMongodb()
    await using client = await MongoClient.connect(double.uri)
    const documents = Array.from({ length: 500 }, (_, _id) => encode({ _id, text: 'x'.repeat(_id) }))
    double.store.addPrepared('app', 'fast', { documents })

    for (const batchSize of [1000, 7, 100, 100, 499]) {
      expect((await read(client, 'fast', batchSize)).equals(Buffer.concat(documents)), String(batchSize)).toBe(true)
    }
    await client.db('app').collection<{ _id: number }>('fast').deleteOne({ _id: 0 })
    await client.db('app').collection<{ _id: number }>('fast').insertOne({ _id: 500 })
    const now = Buffer.concat([...documents.slice(1), encode({ _id: 500 })])
    expect((await read(client, 'fast', 100)).equals(now)).toBe(true)
  })

  it('serve several clients at once', async () => {
    await using double = await startMongodb()
    await using client = await MongoClient.connect(double.uri)
    const documents = Array.from({ length: 300 }, (_, _id) => encode({ _id, text: 'x'.repeat(10_000) }))
    double.store.addPrepared('app', 'fast', { documents })

    const all = await Promise.all([1, 2, 3, 4].map(() => read(client, 'fast', 50)))

    for (const each of all) expect(each.equals(Buffer.concat(documents))).toBe(true)
  })
})

describe('TLS', () => {
  it('is spoken with the certificate it was given', async () => {
    const { key, cert } = selfSignedCertificate()
    const folder = await mkdtemp(join(tmpdir(), 'mongodb-double-'))
    const double = await startMongodb({ tls: { key, cert } })
    try {
      const tlsCAFile = join(folder, 'ca.crt')
      await writeFile(tlsCAFile, cert)
      await using client = await MongoClient.connect(double.uri, { tlsCAFile })
      expect(await client.db('admin').command({ ping: 1 })).toMatchObject({ ok: 1 })

      const distrusting = new MongoClient(double.uri, { serverSelectionTimeoutMS: 300 })
      await expect(distrusting.connect()).rejects.toThrow(/certificate/)
      await distrusting.close()
    } finally {
      await double.stop()
      await rm(folder, { recursive: true })
    }
  })

  it('does not keep a double from stopping whose client never ends the handshake', async () => {
    const double = await startMongodb({ tls: { ...selfSignedCertificate() } })
    const silent = connect(double.port, '127.0.0.1')
    await once(silent, 'connect')
    const hungUp = once(silent, 'close')
    silent.on('error', () => undefined).resume()

    await double.stop()

    await hungUp
  })
})

describe('main', () => {
  it('runs the double as a process with Palette data and ends on SIGTERM', async () => {
    const main = join(import.meta.dirname, 'main.ts')
    const seed = ['--seed', 'palette', '--seed-bytes', '200000', '--auth', 'root:pass:word']
    const child = spawn(process.execPath, [main, ...seed], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(child, 'exit')
    const [line] = await once(createInterface(child.stdout), 'line')
    const { uri } = JSON.parse(line)

    {
      await using client = await MongoClient.connect(uri)
      expect(await client.db('hubbledb').collection('config').findOne({ kind: 'systemconfig' })).toMatchObject({
        spec: { installerMode: 'self-hosted' },
      })
    }
    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
  })
})
