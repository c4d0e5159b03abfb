export interface ConfigurationText {
  readonly clusterName: string
  /** Names the environment variable that holds the connection string. */
  readonly uriEnv: string
  /** Each as one of the functions below gives it. */
  readonly locations: readonly string[]
  readonly policy: string
  readonly policyLocations: readonly string[]
  /** Lines of the policy, each an attribute: `retention_period: 30` */
  readonly attributes: readonly string[]
}

/** A configuration file with one policy, in the layout that the documentation shows. */
export function configurationText(parts: ConfigurationText): string {
  return `version: 1
provider:
  palette:
    cluster_name: ${parts.clusterName}
    mongodb: { uri: { $env: ${parts.uriEnv} } }
resource:
  backup_storage_location:
${parts.locations.join('')}  backup_policy:
    ${parts.policy}:
      backup_locations: [${parts.policyLocations.join(', ')}]
${indented(6, withEncryptionSaid(parts.attributes))}`
}

export interface S3Text {
  readonly bucket: string
  readonly url: string
  /** Names the environment variables that hold the key pair. */
  readonly accessEnv: string
  readonly secretEnv: string
  /** More lines of the location, each an attribute. */
  readonly attributes?: readonly string[]
}

export function s3Text(name: string, { bucket, url, accessEnv, secretEnv, attributes = [] }: S3Text): string {
  return `    ${name}:
      storage_provider: s3
      bucket_name: ${bucket}
      region: us-east-1
${indented(6, attributes)}      s3:
        credential_type: secret
        access_key: { $env: ${accessEnv} }
        secret_key: { $env: ${secretEnv} }
        s3_url: ${url}
`
}

export function folderText(name: string, path: string): string {
  return `    ${name}: { storage_provider: filesystem, filesystem: { path: ${path} } }\n`
}

/** A policy without encryption says that it is meant. */
function withEncryptionSaid(attributes: readonly string[]): readonly string[] {
  return attributes.some((one) => one.startsWith('encryption')) ? attributes : [...attributes, 'allow_cleartext: true']
}

function indented(columns: number, lines: readonly string[]): string {
  return lines.map((line) => `${' '.repeat(columns)}${line}\n`).join('')
}
