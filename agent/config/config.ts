import type { Secret } from '../core/secret.ts'

/**
 * The configuration after all its stages: references checked, defaults filled in, secrets read.
 * Keys are camelCase here and snake_case in the file; the meaning of every attribute stands in the schema.
 */
export interface Config {
  /** SHA-256 of the file's bytes, hexadecimal. */
  readonly digest: string
  readonly palette: PaletteConfig
  readonly locations: readonly LocationConfig[]
  readonly policies: readonly PolicyConfig[]
}

export interface PaletteConfig {
  readonly clusterName: string
  readonly namespace: string
  readonly edition?: 'palette' | 'vertex'
  readonly paletteVersion?: string
  /** Absent: found through the Kubernetes API. */
  readonly mongodb?: MongodbConfig
  readonly mongodbOverrides: MongodbOverrides
  readonly kubernetes: KubernetesConfig
  /** The text of an age identity file, for reading encrypted backups. */
  readonly ageIdentity?: Secret
  /** Palette's own API; only a restore speaks to it. */
  readonly api?: PaletteApiConfig
}

export interface MongodbConfig {
  readonly uri: Secret
  /** Absent: `provider.palette.mongodb.uri` of the file. */
  readonly origin?: MongodbOrigin
  /** PEM text of the authorities to trust, where the system's do not do. */
  readonly caCert?: string
  readonly tls?: MongodbTls
}

/** Where a connection comes from, for the advice of an error: each the rest of a sentence that begins with "Check". */
export interface MongodbOrigin {
  /** `user and password in Secret hubble-system/spectromongosecret, or ...` */
  readonly account: string
  /** `StatefulSet hubble-system/mongo, or ...` */
  readonly hosts: string
}

export interface MongodbTls {
  /** PEM texts of the certificate to show, where the server asks for one. */
  readonly clientCert?: string
  readonly clientKey?: Secret
  /** The certificates of the members need not name them; who signed them is checked all the same. */
  readonly allowInvalidHostnames: boolean
}

/** What is not to be found out about MongoDB but taken from the file. */
export interface MongodbOverrides {
  readonly statefulSet?: string
  readonly username?: string
  readonly password?: Secret
  readonly replicaSet?: string
  readonly tls?: boolean
  readonly caCert?: string
  readonly clientCert?: MongodbTls
}

export interface NamespacedName {
  readonly namespace: string
  readonly name: string
}

export interface KubernetesConfig {
  /** `https://host:port`; absent: the one of the cluster the agent runs in, if it does. */
  readonly server?: string
  readonly serviceAccountDirectory?: string
  /** Secrets without which a backup is partial. */
  readonly secrets: readonly NamespacedName[]
  /** Secrets that are taken where they exist. */
  readonly optionalSecrets: readonly NamespacedName[]
  readonly helmReleases: readonly NamespacedName[]
}

export interface PaletteApiConfig {
  /** `https://palette.example.com` */
  readonly host: string
  readonly apiKey: Secret
  readonly ignoreInsecureTlsError: boolean
}

export type LocationConfig = S3LocationConfig | FtpLocationConfig | FilesystemLocationConfig

interface CommonLocationConfig {
  readonly name: string
  /** `/`-separated, no leading or trailing slash; may be empty. */
  readonly folder: string
  /** `false`: a reload does not wait for a validation of this location. */
  readonly validate: boolean
  /** Most bytes that go to the location in a second, and most that come from it. */
  readonly maxBytesPerSecond?: number
}

export interface S3LocationConfig extends CommonLocationConfig {
  readonly storageProvider: 's3'
  readonly bucketName: string
  readonly region: string
  readonly caCert?: string
  readonly credentialType: 'secret' | 'sts' | 'default'
  readonly accessKey?: Secret
  readonly secretKey?: Secret
  readonly arn?: string
  readonly externalId?: string
  readonly s3Url?: string
  readonly s3ForcePathStyle: boolean
  readonly serverSideEncryption?: 'AES256' | 'aws:kms'
  readonly kmsKeyId?: string
}

export interface FtpLocationConfig extends CommonLocationConfig {
  readonly storageProvider: 'ftp'
  readonly host: string
  readonly port: number
  /** As written, with its slashes: a leading one means the server's root. */
  readonly directory: string
  readonly username: string
  readonly password: Secret
  readonly tls: 'explicit' | 'implicit' | 'none'
  readonly caCert?: string
}

export interface FilesystemLocationConfig extends CommonLocationConfig {
  readonly storageProvider: 'filesystem'
  /** Absolute. */
  readonly path: string
  /** Name of a file in `path` without which nothing is mounted there. */
  readonly marker?: string
}

export interface PolicyConfig {
  readonly name: string
  /** Names of locations, at least one, without repetition. */
  readonly backupLocations: readonly string[]
  readonly schedule: ScheduleConfig
  readonly retentionDays: number
  readonly keepMinimum: number
  /** Backups that are kept beyond `retentionDays`, by calendar; absent: none. */
  readonly keep?: KeepConfig
  /** A due time that passed while the agent was down, or the machine slept, is made up. */
  readonly catchUp: boolean
  /** A run that takes longer is ended. */
  readonly timeoutMs: number
  /** A run whose process uses more resident memory is ended. */
  readonly memoryLimitBytes: number
  readonly includeDatabases: readonly string[]
  /**
   * `auto`: in a cluster the Secrets that a restore needs and what describes the installation. `always`: all objects of
   * the namespaces as well. `never`: MongoDB alone.
   */
  readonly includeClusterResources: 'auto' | 'always' | 'never'
  /** For `always`; absent: those that Palette's chart uses. */
  readonly namespaces?: readonly string[]
  /** Bytes of documents; absent: no limit. */
  readonly maxBytesPerSecond?: number
  /** Seconds; absent: not touched. */
  readonly extendSnapshotWindow?: number
  readonly compressionLevel: number
  /** Absent: stored in clear. */
  readonly encryption?: EncryptionConfig
  /** The operator knows that what is stored is readable. */
  readonly allowCleartext: boolean
  /** How far each stored backup is proven by the run that made it. */
  readonly verifyAfterBackup: 'content' | 'decode' | 'restore'
}

export interface EncryptionConfig {
  /** Public keys; the identity of any one opens the backup. */
  readonly ageRecipients: readonly string[]
}

/** The newest complete backup of each of the last so many days, weeks, ... (UTC) that have one. */
export interface KeepConfig {
  readonly last?: number | undefined
  readonly daily?: number | undefined
  readonly weekly?: number | undefined
  readonly monthly?: number | undefined
  readonly yearly?: number | undefined
}

export type ScheduleConfig =
  /** A backup at each of `hoursOfDay` (UTC) on every `intervalDays`-th day. */
  | { readonly kind: 'interval'; readonly intervalDays: number; readonly hoursOfDay: readonly number[] }
  /** Five fields, UTC. */
  | { readonly kind: 'cron'; readonly expression: string }
