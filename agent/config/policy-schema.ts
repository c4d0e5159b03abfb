import { z } from 'zod'
import { deprecated, duration, secret } from './attributes.ts'

const count = (what: string) => z.int().min(1).max(1000).optional().describe(what)

const Keep = z.strictObject({
  last: count('The newest so many complete backups'),
  daily: count('The newest complete backup of each of the last so many days (UTC) that have one'),
  weekly: count('The same for weeks, Monday to Sunday'),
  monthly: count('The same for months'),
  yearly: count('The same for years'),
})

const Encryption = z.strictObject({
  age_recipients: z
    // Public, but where they stand somebody will one day put the secret half.
    .array(secret('Public key, or where it stands'))
    .min(1)
    .max(20)
    .describe('Public keys, age1..., as age-keygen prints them: the identity of any one of them opens the backups'),
})

export const BackupPolicy = z.strictObject({
  backup_locations: z.array(z.string()).min(1).describe('Names of the locations that each get the whole backup'),
  interval: z.int().min(1).max(365).optional().describe('Days between backups; needs hours_of_day'),
  hours_of_day: z
    .array(z.int().min(0).max(23))
    .min(1)
    .optional()
    .describe('Hours (UTC) at which a backup is made on each of these days'),
  schedule: z
    .string()
    .optional()
    .describe('Cron expression of five fields (UTC), instead of interval and hours_of_day'),
  hour_of_the_day: z
    .int()
    .min(0)
    .max(23)
    .optional()
    .meta(deprecated("This is the one hour of Palette's console. Write hours_of_day, a list.")),
  retention_period: z.int().min(1).max(3650).optional().describe('Days that a backup is kept; required'),
  expiry_in_hour: z
    .int()
    .min(1)
    .max(87_600)
    .optional()
    .meta(
      deprecated(
        'This is what the Terraform provider calls the time that a backup of a cluster is kept. Write retention_period, in days.',
      ),
    ),
  keep_minimum: z
    .int()
    .min(1)
    .max(1000)
    .default(3)
    .describe('Good backups that are kept in each location however old they are'),
  keep: Keep.optional().describe('Complete backups that are kept beyond retention_period'),
  catch_up: z
    .boolean()
    .default(true)
    .describe('Make up, once, for due times that passed while the agent was down or the machine slept'),
  timeout: duration('A run that takes longer is ended').default('12h'),
  memory_limit: z
    .int()
    .min(128)
    .max(65_536)
    .default(512)
    .describe('MiB of memory; a run whose process uses more is ended'),
  include_databases: z
    .array(z.string().min(1))
    .min(1)
    .default(['hubbledb', 'hubble_timeseriesdb', 'hubble_archivedb'])
    .describe('Databases to back up'),
  include_cluster_resources_mode: z
    .enum(['auto', 'always', 'never'])
    .optional()
    .describe(
      'auto (default): in a cluster, the Secrets, version and Helm releases of Palette; always: all objects of its namespaces too; never: MongoDB alone',
    ),
  include_cluster_resources: z
    .boolean()
    .optional()
    .describe('true: as include_cluster_resources_mode always, false: as never'),
  namespaces: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("Namespaces whose objects are backed up with mode always; default: those of Palette's chart"),
  allow_cleartext: z
    .boolean()
    .default(false)
    .describe(
      'It is meant that backups without encryption are readable by whoever reaches them in a location, and on the way to an FTP server without TLS: no warning, no error',
    ),
  encryption: Encryption.optional().describe('Encrypts every artifact before it leaves this machine (age)'),
  verify_after_backup: z
    .enum(['content', 'decode', 'restore'])
    .default('content')
    .describe(
      'How far each stored backup is proven at once. content: read back and compared, which no backup goes without; decode: unpacked and every document checked, with encryption by provider.palette.age_identity; restore: put into databases of other names, compared there and dropped',
    ),
  max_bytes_per_second: z
    .int()
    .min(65_536)
    .optional()
    .describe('Bytes of documents read from MongoDB in a second at most; default: as fast as it goes'),
  extend_snapshot_window: z
    .int()
    .min(301)
    .max(86_400)
    .optional()
    .describe(
      'Seconds of history that the member is told to keep while it is read (minSnapshotHistoryWindowInSeconds), put back afterwards; costs it cache; default: what it keeps anyway',
    ),
  compression_level: z.int().min(1).max(19).default(1).describe('zstd level: 1 is fastest, 19 is smallest'),
})
