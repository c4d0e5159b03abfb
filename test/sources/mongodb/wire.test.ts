import { BSON, MongoClient } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../agent/core/clock.ts'
import { Pace } from '../../../agent/sources/mongodb/pace.ts'
import { rawFind } from '../../../agent/sources/mongodb/raw-cursor.ts'
import { rawInsert } from '../../../agent/sources/mongodb/raw-insert.ts'
import { Wire } from '../../../agent/sources/mongodb/wire/wire.ts'
import { batch, type Lie, replied, startLyingServer } from '../../support/mongodb/lying-server.ts'
import { errorOf } from '../../support/streams.ts'

const documents = [{ _id: 1 }, { _id: 2, text: 'x'.repeat(3_000_000) }, { _id: 3 }]

describe('replies that are read from the socket', () => {
  it('are taken whole, however large and however they are cut', async () => {
    const found = await reading((request, socket) => {
      const bytes = replied(request, batch(documents))
      for (const [start, end] of [
        [0, 3],
        [3, 17],
        [17, 1000],
        [1000, bytes.length - 1],
      ] as const) {
        socket.write(bytes.subarray(start, end))
      }
      return bytes.subarray(-1)
    })
    expect(found).toEqual({ documents: 3, bytes: 3_000_053 })
  })

  it.each<[string, string, Lie]>([
    ['another request is answered', 'it answers another request', changed((bytes) => bytes.writeInt32LE(-7, 8))],
    ['another kind comes', 'it has the kind 2012 instead of OP_MSG', changed((bytes) => bytes.writeInt32LE(2012, 12))],
    ['an unknown flag is set', 'it has the flags 4', changed((bytes) => bytes.writeUInt32LE(4, 16))],
    ['more is to come', 'it has the flags 2', changed((bytes) => bytes.writeUInt32LE(2, 16))],
    ['a list comes first', 'it does not begin with its document', changed((bytes) => bytes.writeUInt8(1, 20))],
    ['a document is too long', 'its document claims 9999999', changed((bytes) => bytes.writeInt32LE(9_999_999, 21))],
    ['it claims to be nothing', 'it claims to be 3 bytes long', changed((bytes) => bytes.writeInt32LE(3, 0))],
    ['it claims to be endless', 'it claims to be 2147483647', changed((bytes) => bytes.writeInt32LE(2 ** 31 - 1, 0))],
    ['there is no cursor', 'it has no cursor', (request) => replied(request, { ok: 1 })],
    ['the cursor is empty', 'no id or no batch', (request) => replied(request, { cursor: {}, ok: 1 })],
    ['a number is in the batch', 'no whole document', (request) => replied(request, batch([1 as never]))],
    ['the connection ends in the middle', 'closed the connection', cutShort],
    ['the connection ends before', 'closed the connection', (_, socket) => void socket.end()],
  ])('are refused where %s', async (_, why, lie) => {
    expect(await errorOf(reading(lie))).toMatchObject({ message: expect.stringContaining(why) })
  })

  it('carry the refusal of the server with its code', async () => {
    const refused = { ok: 0, code: 239, codeName: 'SnapshotTooOld', errmsg: 'too old' }
    const error = await errorOf(reading((request) => replied(request, refused)))
    expect(error).toMatchObject({ name: 'MongoServerError', code: 239, message: 'too old' })
  })

  it('may not be kept back for longer than the time limit of the connection', async () => {
    const error = await errorOf(reading(() => undefined, { options: '&socketTimeoutMS=200' }))
    expect(error).toMatchObject({
      name: 'MongoNetworkTimeoutError',
      message: expect.stringMatching(/127\.0\.0\.1:\d+ said nothing for 200 ms/),
    })
  })

  it('are not waited for by a command that the server does not take', async () => {
    await using server = await startLyingServer(() => undefined, 100_000)
    const client = new MongoClient(server.uri)
    try {
      await client.connect()
      using wire = new Wire(client, { replies: 'short' })
      const documents = Buffer.concat(
        Array.from({ length: 4 }, () => BSON.serialize({ bytes: Buffer.alloc(11_000_000) })),
      )
      const over = new AbortController()
      setTimeout(() => over.abort(new Error('enough')), 300)
      const place = { database: 'app', collection: 'c' }
      expect(await errorOf(rawInsert(wire, place, documents, 4, over.signal))).toMatchObject({ message: 'enough' })
    } finally {
      await client.close()
    }
  })

  it('are not waited for any longer after an abort', async () => {
    const over = new AbortController()
    const asked = Promise.withResolvers<void>()
    const error = errorOf(reading(() => void asked.resolve(), { signal: over.signal }))
    await asked.promise
    over.abort(new Error('enough'))
    expect(await error).toMatchObject({ message: 'enough' })
  })
})

/** What is read of a collection from a server that answers so. */
async function reading(lie: Lie, { options = '', signal = new AbortController().signal } = {}) {
  await using server = await startLyingServer(lie)
  const client = new MongoClient(`${server.uri}${options}`)
  try {
    await client.connect()
    using wire = new Wire(client, { replies: 'batches' })
    const session = client.startSession()
    const found = { documents: 0, bytes: 0 }
    const pace = new Pace(undefined, systemClock)
    for await (const { run, count } of rawFind(client.db('app'), 'c', { wire, session, signal, pace })) {
      found.documents += count
      found.bytes += run.length
    }
    return found
  } finally {
    await client.close()
  }
}

function changed(change: (bytes: Buffer) => void): Lie {
  return (request) => {
    const bytes = replied(request, batch([{ _id: 1 }]))
    change(bytes)
    return bytes
  }
}

function cutShort(...[request, socket]: Parameters<Lie>): undefined {
  socket.end(replied(request, batch([{ _id: 1 }])).subarray(0, 40))
}
