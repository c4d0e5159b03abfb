import { locationConformance } from '../conformance/location.ts'
import { openPatientS3 } from '../support/s3/open.ts'
import { startS3 } from '../support/s3/server.ts'

locationConformance('s3', async () => {
  const s3 = await startS3({ pageSize: 100 })
  return {
    location: await openPatientS3(s3, { folder: 'prod/palette' }),
    cleanUp: () => s3.stop(),
    hidden: async () => [...s3.uploads.keys()],
  }
})
