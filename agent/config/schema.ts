import { z } from 'zod'
import { secret, text } from './attributes.ts'
import { BackupPolicy } from './policy-schema.ts'

/** The version of the file's format that this program reads. */
export const CONFIG_VERSION = 1

const FTP_TLS = ['explicit', 'implicit', 'none'] as const

/** Names stand in keys, metrics and addresses: lower case, digits, `_` and `-`. */
export const RESOURCE_NAME = /^[a-z][a-z0-9_-]{0,62}$/

const ResourceName = z.string().regex(RESOURCE_NAME)

const Mongodb = z.strictObject({
  uri: secret(
    'Connection string, where MongoDB is not to be found through Kubernetes: mongodb://user:password@host:27017/?replicaSet=rs0&authSource=admin',
  ).optional(),
  stateful_set: z.string().min(1).optional().describe('Name of the StatefulSet of MongoDB; default: mongo'),
  username: text('Account to use instead of the one that is found').optional(),
  password: secret('Password to use instead of the one that is found').optional(),
  replica_set: z.string().min(1).optional().describe('Name of the replica set; default: what the members say'),
  tls: z.boolean().optional().describe('Whether MongoDB is reached by TLS; default: what the StatefulSet shows'),
  ca_cert: text(
    'PEM text of the certificate authorities to trust for MongoDB, where those of the system do not do',
  ).optional(),
  client_cert: text('PEM text of the certificate to show to MongoDB, for mutual TLS').optional(),
  client_key: secret('PEM text of the private key of client_cert').optional(),
  tls_allow_invalid_hostnames: z
    .boolean()
    .optional()
    .describe('Accept a certificate that does not name the host it comes from; default: false, or what is found'),
})

const Kubernetes = z.strictObject({
  server: text(
    'Address of the API server, https://host:port; default: that of the cluster the agent runs in',
  ).optional(),
  service_account_directory: z
    .string()
    .min(1)
    .optional()
    .describe('Directory with token and ca.crt; default: where the kubelet mounts the ServiceAccount'),
  secrets: z
    .array(z.string().min(1))
    .default(['configserversecret', 'msgbroker-secret'])
    .describe(
      'Secrets without which Palette cannot be restored, as name or namespace/name: a backup without one is partial',
    ),
  optional_secrets: z
    .array(z.string().min(1))
    .default([
      'auth-tls',
      'mongo-tls',
      'spectro-image-pull-secret',
      'ingress-nginx/default-ssl-certificate',
      'ingress-traefik/default-ssl-certificate',
    ])
    .describe('Secrets that are backed up where they exist, as name or namespace/name'),
  helm_releases: z
    .array(z.string().min(1))
    .default([
      'default/hubble',
      'default/cert-manager',
      'default/spectro-mgmt-crds',
      'default/image-swap',
      'default/reach-system',
    ])
    .describe('Helm releases of Palette, as namespace/name: their records and values are backed up where they exist'),
})

const Palette = z.strictObject({
  cluster_name: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
      'It begins with a letter or digit and holds letters, digits, ".", "_" and "-", at most 63.',
    )
    .describe('Name of this installation: the first folder in every location, and a label of every metric'),
  namespace: z.string().min(1).default('hubble-system').describe('Namespace of Palette in its cluster'),
  edition: z.enum(['palette', 'vertex']).optional().describe('Edition; default: what the installation shows'),
  palette_version: z
    .string()
    .min(1)
    .optional()
    .describe('Version of Palette; default: that of ConfigMap spectro-mgmt-version'),
  host: text("Address of Palette's own API, only to pause agent upgrades around a restore; needs api_key", {
    environment: 'SPECTROCLOUD_HOST',
  }).optional(),
  api_key: secret('API key of a tenant, for host', { environment: 'SPECTROCLOUD_APIKEY' }).optional(),
  ignore_insecure_tls_error: z.boolean().default(false).describe('Do not check the certificate of host'),
  age_identity: secret(
    'Identity that opens encrypted backups, as age-keygen writes it: only for verify_after_backup and for restores, and safer kept elsewhere',
  ).optional(),
  mongodb: Mongodb.default({}).describe("What is not to be found out about Palette's MongoDB but said here"),
  kubernetes: Kubernetes.prefault({}).describe("The cluster Palette runs in, and which of its objects are Palette's"),
})

const S3 = z.strictObject({
  credential_type: z
    .enum(['secret', 'sts', 'default'])
    .describe(
      'secret: access_key and secret_key; sts: the role of arn; default: what the environment of the process gives (IRSA, pod identity, instance role)',
    ),
  access_key: secret('Access key id, for credential_type secret; with sts, what the role is asked for with').optional(),
  secret_key: secret('Secret access key that belongs to it').optional(),
  s3_url: text('Endpoint of an S3-compatible service; without it Amazon S3').optional(),
  s3_force_path_style: z
    .boolean()
    .optional()
    .describe('Bucket name in the path instead of the host name; default: true when s3_url is set'),
  arn: text('Role to assume, for credential_type sts').optional(),
  external_id: text('External id that the role demands, for credential_type sts').optional(),
  server_side_encryption: z.enum(['AES256', 'aws:kms']).optional().describe('Encryption at rest that S3 is asked for'),
  kms_key_id: text("Key of AWS KMS, with aws:kms; default: the account's own key for S3").optional(),
})

const Ftp = z.strictObject({
  server: text('Host, host:port, or ftp://host:port'),
  directory: z.string().min(1).default('/').describe('Directory on the server; created where it is absent'),
  username: text('User name'),
  password: secret('Password'),
  tls: z
    .enum(FTP_TLS)
    .default('explicit')
    .describe('explicit: AUTH TLS on port 21; implicit: TLS from the first byte, port 990; none: everything in clear'),
})

const Filesystem = z.strictObject({
  path: z.string().min(1).describe('Absolute path of an existing directory: a mounted volume, NFS'),
  marker: z
    .string()
    .regex(/^[^/]+$/)
    .optional()
    .describe(
      'Name of a file that you put into path: where it is missing, the volume is not mounted and nothing is done',
    ),
})

const BackupStorageLocation = z.strictObject({
  storage_provider: z.enum(['s3', 'ftp', 'filesystem']).describe('What kind of place this is'),
  bucket_name: z.string().min(1).optional().describe('Name of the bucket (s3)'),
  region: z.string().min(1).optional().describe('Region of the bucket (s3)'),
  folder: z.string().optional().describe('Folder inside the bucket or directory; default: none'),
  ca_cert: text(
    'PEM text of the certificate authorities to trust, where those of the system do not do (s3, ftp)',
  ).optional(),
  validate: z
    .boolean()
    .default(true)
    .describe('Use the location for real before a reload that adds or changes it is applied'),
  max_bytes_per_second: z
    .int()
    .min(1024)
    .optional()
    .describe(
      'Most bytes a second that a run sends to the location, and most that it takes from it; default: no limit',
    ),
  s3: S3.optional().describe('Access to S3'),
  ftp: Ftp.optional().describe('Access to an FTP server'),
  filesystem: Filesystem.optional().describe('Directory of this machine'),
})

/** The file after YAML; every rule that needs more than one attribute stands elsewhere. */
export const ConfigFile = z.strictObject({
  version: z.literal(CONFIG_VERSION).describe('Version of this format'),
  provider: z.strictObject({ palette: Palette.describe('The installation that is protected') }),
  resource: z
    .strictObject({
      backup_storage_location: z
        .record(ResourceName, BackupStorageLocation)
        .default({})
        .describe('Places that keep backups, by name'),
      backup_policy: z
        .record(ResourceName, BackupPolicy)
        .default({})
        .describe('What is backed up, when, where to and how long it is kept, by name'),
    })
    .default({ backup_storage_location: {}, backup_policy: {} }),
})

export type ConfigFileValue = z.output<typeof ConfigFile>

/** Attributes that have a meaning in Palette or in later versions, by the attribute they would stand in. */
export const NOT_SUPPORTED: Readonly<Record<string, readonly string[]>> = {
  s3: ['object_lock'],
  backup_policy: ['include_disks'],
}
