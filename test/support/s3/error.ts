/** A refusal as S3 words it. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
export class S3Error extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message = code) {
    super(message)
    this.name = 'S3Error'
    this.status = status
    this.code = code
  }
}
