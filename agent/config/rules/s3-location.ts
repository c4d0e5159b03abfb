import { Secret } from '../../core/secret.ts'
import type { S3LocationConfig } from '../config.ts'
import type { Path } from '../document.ts'
import type { Reporter } from '../reporter.ts'
import type { RawLocation, ResolvedCommon } from './locations.ts'
import { checkCaCert, refuseLineBreaks } from './place.ts'

/** Bucket names as Amazon allows them, which S3-compatible services follow. */
export const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/

/** Without what a URL may hold besides: `URL` alone would take `https:host` and `https:///host`, too. */
export const SERVICE = /^[Hh][Tt][Tt][Pp][Ss]?:\/\/[^/?#@]+(\/[^?#]*)?$/

export function s3Location(raw: RawLocation, common: ResolvedCommon, path: Path, report: Reporter): S3LocationConfig {
  const { s3, bucket_name: bucketName = '', region = '', ca_cert } = raw
  if (bucketName !== '' && !BUCKET.test(bucketName)) {
    const detail =
      'A bucket name has 3 to 63 lower-case letters, digits, "." and "-". A folder goes into the attribute folder.'
    report.error({ path: [...path, 'bucket_name'], summary: 'Invalid bucket name', detail })
  }
  const s3Path = [...path, 's3']
  if (s3?.s3_url) checkUrl(s3.s3_url, bucketName, [...s3Path, 's3_url'], report)
  return {
    ...common,
    storageProvider: 's3',
    bucketName,
    region,
    ...checkCaCert(ca_cert, path, report),
    ...credentials(s3, s3Path, report),
    ...(s3?.s3_url ? { s3Url: s3.s3_url } : {}),
    s3ForcePathStyle: s3?.s3_force_path_style ?? s3?.s3_url !== undefined,
    ...encryption(s3, s3Path, report),
  }
}

type Credentials = Pick<S3LocationConfig, 'credentialType' | 'accessKey' | 'secretKey' | 'arn' | 'externalId'>
type S3Attribute = 'access_key' | 'secret_key' | 'arn' | 'external_id'

interface Use {
  readonly required: readonly S3Attribute[]
  readonly forbidden: readonly S3Attribute[]
}

/** With "sts" the keys are those that ask for the role; without keys the environment asks. */
export const USES: Readonly<Record<S3LocationConfig['credentialType'], Use>> = {
  secret: { required: ['access_key', 'secret_key'], forbidden: ['arn', 'external_id'] },
  sts: { required: ['arn'], forbidden: [] },
  default: { required: [], forbidden: ['access_key', 'secret_key', 'arn', 'external_id'] },
}

function credentials(s3: RawLocation['s3'], path: Path, report: Reporter): Credentials {
  const credentialType = s3?.credential_type ?? 'default'
  const { required, forbidden } = USES[credentialType]
  const missing = new Set(required.filter((name) => s3?.[name] === undefined))
  if (s3?.access_key !== undefined && s3.secret_key === undefined) missing.add('secret_key')
  if (s3?.secret_key !== undefined && s3.access_key === undefined) missing.add('access_key')
  for (const name of credentialType === 'default' ? [] : missing) {
    const detail = `credential_type "${credentialType}" needs ${needs(credentialType)}; ${name} is missing.`
    report.error({ path: [...path, name], at: 'key', summary: 'Missing required attribute', detail })
  }
  for (const name of forbidden.filter((one) => s3?.[one] !== undefined)) {
    const other = name.endsWith('_key') ? 'secret' : 'sts'
    const detail = `${name} has no use with credential_type "${credentialType}". Remove it, or set credential_type to "${other}".`
    report.error({ path: [...path, name], at: 'key', summary: 'Conflicting attributes', detail })
  }
  const { access_key, secret_key, external_id } = s3 ?? {}
  refuseLineBreaks({ access_key, secret_key, external_id }, path, report)
  if (s3?.arn !== undefined && !s3.arn.startsWith('arn:')) {
    const detail = 'Expected the name of a role: arn:aws:iam::ACCOUNT:role/NAME.'
    report.error({ path: [...path, 'arn'], summary: 'Invalid role', detail })
  }
  return {
    credentialType,
    ...(s3?.access_key === undefined ? {} : { accessKey: new Secret(s3.access_key) }),
    ...(s3?.secret_key === undefined ? {} : { secretKey: new Secret(s3.secret_key) }),
    ...(s3?.arn === undefined ? {} : { arn: s3.arn }),
    ...(s3?.external_id === undefined ? {} : { externalId: s3.external_id }),
  }
}

function needs(credentialType: S3LocationConfig['credentialType']): string {
  return credentialType === 'sts' ? 'arn, and both keys or none' : 'access_key and secret_key'
}

function encryption(s3: RawLocation['s3'], path: Path, report: Reporter): Partial<S3LocationConfig> {
  if (s3?.kms_key_id !== undefined && s3.server_side_encryption !== 'aws:kms') {
    const detail = 'kms_key_id has no use without server_side_encryption "aws:kms". Set that, or remove it.'
    report.error({ path: [...path, 'kms_key_id'], at: 'key', summary: 'Conflicting attributes', detail })
  }
  return {
    ...(s3?.server_side_encryption ? { serverSideEncryption: s3.server_side_encryption } : {}),
    ...(s3?.kms_key_id === undefined ? {} : { kmsKeyId: s3.kms_key_id }),
  }
}

function checkUrl(text: string, bucketName: string, path: Path, report: Reporter): void {
  const url = URL.parse(text)
  if (url && (url.username !== '' || url.password !== '')) {
    const detail = 'Credentials do not belong into the address. Use access_key and secret_key.'
    report.error({ path, at: 'key', summary: 'Credentials in an address', detail })
  } else if (!url || !SERVICE.test(text)) {
    const detail = 'Expected the address of a service: https://host or https://host:port.'
    report.error({ path, summary: 'Invalid address', detail })
  } else if (url.pathname.split('/').includes(bucketName) && bucketName !== '') {
    const detail = `The bucket stands in bucket_name alone: with it in the address, ${bucketName} is taken for a folder.`
    report.error({ path, summary: 'Bucket in an address', detail })
  } else if (url.protocol === 'http:') {
    const detail = 'Backups and what is signed with the keys travel in clear. Use https://.'
    report.warning({ path, summary: 'Connection without TLS', detail })
  }
}
