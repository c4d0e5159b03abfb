import { httpStatusOf, s3ErrorName } from './classify.ts'

// Seen from radosgw, Swift, and servers behind proxies when they meet headers that came to S3 in 2022 and later.
const COMPLAINTS = new Set([
  'NotImplemented',
  'MissingContentLength',
  'XAmzContentSHA256Mismatch',
  'InvalidArgument',
  'InvalidRequest',
  'XNotImplemented',
])

/**
 * Whether requests carry `x-amz-checksum-*`. Starts with it, because it protects each part on its way; the first
 * refusal that may be about it turns it off for good.
 */
export class ChecksumMode {
  #current: 'WHEN_SUPPORTED' | 'WHEN_REQUIRED' = 'WHEN_SUPPORTED'

  get current(): 'WHEN_SUPPORTED' | 'WHEN_REQUIRED' {
    return this.#current
  }

  describe(): string {
    return this.#current === 'WHEN_SUPPORTED'
      ? 'checksums go with every upload'
      : 'the server refuses checksums with uploads: they go without'
  }

  /** Runs the request, and once more without checksums when they may be why it was refused. */
  async run<T>(request: () => Promise<T>): Promise<T> {
    const used = this.#current
    try {
      return await request()
    } catch (thrown) {
      if (used === 'WHEN_REQUIRED' || !isComplaint(thrown)) throw thrown
      const answer = await this.#without(request, thrown)
      return answer
    }
  }

  async #without<T>(request: () => Promise<T>, refusal: unknown): Promise<T> {
    this.#current = 'WHEN_REQUIRED'
    try {
      return await request()
    } catch (thrown) {
      // Refused for the same reason without checksums: they were not it.
      if (s3ErrorName(thrown) === s3ErrorName(refusal)) this.#current = 'WHEN_SUPPORTED'
      throw thrown
    }
  }
}

function isComplaint(thrown: unknown): boolean {
  const status = httpStatusOf(thrown)
  return status === 501 || status === 411 || (status === 400 && COMPLAINTS.has(s3ErrorName(thrown)))
}
