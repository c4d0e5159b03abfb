import { Secret } from '../../core/secret.ts'
import type { S3LocationConfig } from '../config.ts'
import type { Path } from '../document.ts'
import type { Reporter } from '../reporter.ts'
import type { RawLocation, ResolvedCommon } from './locations.ts'
import { checkCaCert } from './place.ts'

/** Bucket names as Amazon allows them, which S3-compatible services follow. */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/

export function s3Location(raw: RawLocation, common: ResolvedCommon, path: Path, report: Reporter): S3LocationConfig {
  const { s3, bucket_name: bucketName = '', region = '', ca_cert } = raw
  if (bucketName !== '' && !BUCKET.test(bucketName)) {
    const detail =
      'A bucket name has 3 to 63 lower-case letters, digits, "." and "-". A folder goes into the attribute folder.'
    report.error({ path: [...path, 'bucket_name'], summary: 'Invalid bucket name', detail })
  }
  const s3Path = [...path, 's3']
  if (s3?.s3_url) checkUrl(s3.s3_url, [...s3Path, 's3_url'], report)
  return {
    ...common,
    storageProvider: 's3',
    bucketName,
    region,
    ...checkCaCert(ca_cert, path, report),
    ...credentials(s3, s3Path, report),
    ...(s3?.s3_url ? { s3Url: s3.s3_url } : {}),
    s3ForcePathStyle: s3?.s3_force_path_style ?? s3?.s3_url !== undefined,
    ...(s3?.server_side_encryption ? { serverSideEncryption: s3.server_side_encryption } : {}),
  }
}

type Credentials = Pick<S3LocationConfig, 'credentialType' | 'accessKey' | 'secretKey'>

function credentials(s3: RawLocation['s3'], path: Path, report: Reporter): Credentials {
  const credentialType = s3?.credential_type ?? 'default'
  if (credentialType === 'sts') {
    const detail =
      'Assuming a role by its arn is not supported by this version. Use "default" with a role given to the pod, or "secret".'
    report.error({ path: [...path, 'credential_type'], summary: 'Unsupported credential type', detail })
  }
  for (const name of ['access_key', 'secret_key'] as const) {
    const isGiven = s3?.[name] !== undefined
    if (credentialType === 'secret' && !isGiven) {
      const detail = `credential_type "secret" needs access_key and secret_key; ${name} is missing.`
      report.error({ path: [...path, name], at: 'key', summary: 'Missing required attribute', detail })
    }
    if (credentialType === 'default' && isGiven) {
      const detail = `${name} has no use with credential_type "default". Remove it, or set credential_type to "secret".`
      report.error({ path: [...path, name], at: 'key', summary: 'Conflicting attributes', detail })
    }
  }
  return {
    credentialType,
    ...(s3?.access_key === undefined ? {} : { accessKey: new Secret(s3.access_key) }),
    ...(s3?.secret_key === undefined ? {} : { secretKey: new Secret(s3.secret_key) }),
  }
}

function checkUrl(text: string, path: Path, report: Reporter): void {
  const url = URL.parse(text)
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '') {
    const detail = 'Expected the address of a service: https://host or https://host:port.'
    report.error({ path, summary: 'Invalid address', detail })
  } else if (url.username !== '' || url.password !== '') {
    const detail = 'Credentials do not belong into the address. Use access_key and secret_key.'
    report.error({ path, at: 'key', summary: 'Credentials in an address', detail })
  } else if (url.protocol === 'http:') {
    const detail = 'Backups and what is signed with the keys travel in clear. Use https://.'
    report.warning({ path, summary: 'Connection without TLS', detail })
  }
}
