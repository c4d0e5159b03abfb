import { mongodbSourceSuite } from '../../conformance/mongodb-source.ts'
import { startReplicaSet } from '../../support/mongodb/replica-set.ts'

mongodbSourceSuite('a double of three members', async () => {
  const set = await startReplicaSet([{}, {}, { hidden: true }])
  return {
    // A driver of the test writes to the primary and reads what it wrote there.
    uri: set.uri,
    measures: false,
    stepDown: async () => set.elect(0),
    openCursors: async () => set.left().cursors,
    stop: () => set.stop(),
  }
})
