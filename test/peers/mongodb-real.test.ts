import { MongoClient } from 'mongodb'
import { describe } from 'vitest'
import { mongodbSourceSuite, type SuiteServer } from '../conformance/mongodb-source.ts'

/**
 * A replica set of real MongoDB servers, by its connection string, with a user who may do everything. The databases
 * named in the suite are dropped and made again there.
 */
const uri = process.env['PEER_MONGODB_URI']

describe.skipIf(uri === undefined)('with PEER_MONGODB_URI set', () => {
  mongodbSourceSuite('MongoDB itself', () => openServer(uri ?? ''))
})

async function openServer(address: string): Promise<SuiteServer> {
  const client = await MongoClient.connect(address)
  const admin = client.db('admin')
  return {
    uri: address,
    measures: true,
    async stepDown() {
      // MongoDB manual, replSetStepDown: a set of one member elects the same again.
      await admin.command({ replSetStepDown: 1, force: true }).catch(() => undefined)
    },
    async openCursors() {
      const { metrics } = await admin.command({ serverStatus: 1 })
      return Number(metrics.cursor.open.total)
    },
    stop: () => client.close(),
  }
}
