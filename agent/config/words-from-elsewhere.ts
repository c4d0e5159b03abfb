/**
 * Attributes that an operator knows from the resources of the Spectro Cloud Terraform provider or from Palette's
 * console, by what they stand in, and what takes their place here.
 */
const WORDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '': {
    palette: 'It belongs below provider: provider.palette.',
    backup_storage_location: 'It belongs below resource: resource.backup_storage_location.',
    backup_policy: 'It belongs below resource: resource.backup_policy.',
    apiVersion: 'This is an object of Kubernetes. The configuration is the text below data alone.',
    kind: 'This is an object of Kubernetes. The configuration is the text below data alone.',
    metadata: 'This is an object of Kubernetes. The configuration is the text below data alone.',
    data: 'This is an object of Kubernetes. The configuration is the text below data alone.',
    config: 'This is a file of chart values. The configuration is what stands below config.',
  },
  palette: {
    mongodb_uri: 'Write mongodb: { uri: ... }.',
    project_name: 'An installation is backed up as a whole. Remove it.',
    retry_attempts: 'What can be tried again is. Remove it.',
    trace: 'Set the environment variable PALETTE_BACKUP_LOG_LEVEL to debug instead.',
  },
  backup_storage_location: {
    name: 'The name is the key above: backup_storage_location.<name>. Remove it.',
    context: 'There are no projects and tenants here. Remove it.',
    is_default: 'A policy names its locations in backup_locations. Remove it.',
    bucket: 'The attribute is called bucket_name.',
    server: 'It belongs into the map ftp.',
    directory: 'It belongs into the map ftp.',
    username: 'It belongs into the map ftp.',
    password: 'It belongs into the map ftp.',
    access_key: 'It belongs into the map s3.',
    secret_key: 'It belongs into the map s3.',
    credential_type: 'It belongs into the map s3.',
    s3_url: 'It belongs into the map s3.',
    gcp_storage_config: 'Google Cloud Storage is not supported. It can be reached as s3 with s3_url and HMAC keys.',
    azure_storage_config: 'Azure is not supported. Use s3, ftp or filesystem.',
  },
  s3: {
    bucket: 'It belongs beside the map s3, and is called bucket_name.',
    endpoint: 'The attribute is called s3_url.',
    endpoint_url: 'The attribute is called s3_url.',
    access_key_id: 'The attribute is called access_key.',
    secret_access_key: 'The attribute is called secret_key.',
    aws_access_key_id: 'The attribute is called access_key.',
    aws_secret_access_key: 'The attribute is called secret_key.',
    role_arn: 'The attribute is called arn.',
  },
  ftp: {
    dir: 'The attribute is called directory.',
    host: 'The attribute is called server.',
    user: 'The attribute is called username.',
    port: 'It belongs into server: host:port.',
  },
  backup_policy: {
    name: 'The name is the key above: backup_policy.<name>. Remove it.',
    prefix: 'Backups are named by cluster_name, the name of the policy, and their time. Remove it.',
    backup_location_id: 'Write the names of the locations: backup_locations: [NAME].',
    cluster_uids: 'The installation itself is backed up, not its workload clusters. Remove it.',
    include_all_clusters: 'The installation itself is backed up, not its workload clusters. Remove it.',
  },
}

/** The same for values of an attribute. */
const VALUES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  storage_provider: {
    aws: '"s3"',
    minio: '"s3", with s3_url',
    ftps: '"ftp", with tls',
    local: '"filesystem"',
    nfs: '"filesystem"',
  },
  credential_type: { 'pod-identity': '"default"', irsa: '"default"', keys: '"secret"' },
}

export function valueFromElsewhere(attribute: string, value: string): string | undefined {
  return lookUp(VALUES, attribute, value)
}

/** Undefined for a word that is not known from there. */
export function wordFromElsewhere(container: string, key: string): string | undefined {
  return lookUp(WORDS, container, key)
}

function lookUp(table: typeof WORDS, row: string, key: string): string | undefined {
  const words = Object.hasOwn(table, row) ? table[row] : undefined
  return words && Object.hasOwn(words, key) ? words[key] : undefined
}
