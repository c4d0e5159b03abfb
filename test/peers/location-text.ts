import type { S3Server } from '../support/s3/open.ts'
import type { FtpPeer } from './servers/ftp-peer.ts'

export interface FtpText extends Pick<FtpPeer, 'port' | 'username' | 'password' | 'tls'> {
  readonly directory?: string
}

/** The body of a location on an FTP server; with TLS, its authority is in `ca.crt` beside the file. */
export function ftpText({ port, username, password, tls, directory = '/palette' }: FtpText): string {
  const ca = tls === 'none' ? '' : 'ca_cert: { $file: ca.crt }\n      '
  return `storage_provider: ftp
      ${ca}ftp: { server: "127.0.0.1:${port}", directory: ${directory}, username: ${username}, password: "${password}", tls: ${tls} }`
}

/** The body of a location in a bucket, for whoever has this key pair. */
export function s3Text({ bucket, accessKey, secretKey, url }: S3Server): string {
  return `storage_provider: s3
      bucket_name: ${bucket}
      region: us-east-1
      s3: { credential_type: secret, access_key: ${accessKey}, secret_key: ${secretKey}, s3_url: "${url}" }`
}
