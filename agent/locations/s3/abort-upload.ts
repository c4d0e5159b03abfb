import { Failure } from '../../core/errors.ts'
import type { Call } from './answers.ts'
import type { S3Calls } from './s3-calls.ts'

const TRIES = 3

/**
 * Aborts a multipart upload and looks whether it is gone: "if any part uploads are currently in progress, those part
 * uploads might or might not succeed. As a result, it might be necessary to abort a given multipart upload multiple
 * times." https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html
 */
export async function abortUpload(
  calls: S3Calls,
  key: string,
  uploadId: string,
  call: Call,
  seen = false,
): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    await calls.abortUpload(key, uploadId, call)
    if (!(await (seen ? calls.uploadExists(key, uploadId, call) : isThere(calls, key, uploadId, call)))) return
  }
  throw new Failure(`${call.doing}: the server accepted it, but the upload is still there`, {
    code: 'unavailable',
    retryable: true,
  })
}

/** A server that does not let us look has accepted the abort all the same. */
async function isThere(calls: S3Calls, key: string, uploadId: string, call: Call): Promise<boolean> {
  try {
    return await calls.uploadExists(key, uploadId, call)
  } catch (thrown) {
    if (thrown instanceof Failure && ['permission', 'unsupported'].includes(thrown.code)) return false
    throw thrown
  }
}
