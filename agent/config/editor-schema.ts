import { FIVE_FIELDS } from '../schedule/parse-cron.ts'
import { configJsonSchema, type JsonSchema } from './json-schema.ts'
import { SERVER } from './rules/ftp-location.ts'
import { API_SERVER, NAME, NAMESPACE } from './rules/kubernetes.ts'
import { NEEDS } from './rules/locations.ts'
import { HOST, NOT_BESIDE_URI } from './rules/palette.ts'
import { DATABASE, SERVER_DATABASES } from './rules/policies.ts'
import { BUCKET, SERVICE, USES } from './rules/s3-location.ts'
import { RESOURCE_NAME } from './schema.ts'

type Keywords = Readonly<Record<string, unknown>>

let made: Keywords | undefined

/**
 * The schema of the attributes with those rules that JSON Schema can say, for editors and Helm: what belongs together,
 * what excludes each other, how a text looks. Patterns must be read alike by JavaScript and by Go (RE2: no look-around).
 */
export function editorSchema(): Keywords {
  made ??= withRules(structuredClone(configJsonSchema()))
  return made
}

function withRules(schema: JsonSchema): Keywords {
  for (const [address, keywords] of Object.entries(RULES)) {
    const target = find(schema, address)
    // Of an attribute that takes references too, its literal text.
    Object.assign(target.reference ? (target.anyOf?.[0] ?? {}) : target, keywords)
  }
  for (const [address, choices] of CHOICES) {
    const target = find(schema, address)
    Object.assign(target, withChoices(target, choices))
  }
  return { ...schema }
}

/** What is offered by a choice stands there alone, so that an editor proposes it only where the choice is made. */
function withChoices({ properties = {}, allOf = [] }: JsonSchema, choices: readonly Choice[]): Keywords {
  const family = new Set(choices.flatMap(({ offers }) => offers))
  const branches = choices.map(({ where, required, offers }) => {
    const offered = [...family].map((name) => [name, offers.includes(name) ? properties[name] : false])
    return when(where, { ...(required ? { required } : {}), properties: Object.fromEntries(offered) })
  })
  const known = Object.fromEntries([...family].map((name) => [name, true]))
  return { properties: { ...properties, ...known }, allOf: [...allOf, ...branches] }
}

/** Names between slashes, none of them one of `.` and `..`; the same with both, and with empty ones. */
const SEGMENT = '([^/.][^/]*|\\.[^/.][^/]*|\\.\\.[^/]+)'
const NOT_UPWARDS = '([^/.][^/]*|\\.|\\.[^/.][^/]*|\\.\\.[^/]+)?'

const CERTIFICATE = '-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----'

const PALETTE = 'provider.palette'
const LOCATION = 'resource.backup_storage_location.*'
const POLICY = 'resource.backup_policy.*'

const RULES: Readonly<Record<string, Keywords>> = {
  '': { required: ['version', 'provider', 'resource'] },
  resource: { required: ['backup_policy'] },
  [`${PALETTE}.namespace`]: matching(NAMESPACE.source),
  [`${PALETTE}.host`]: matching(HOST.source),
  [`${PALETTE}.mongodb`]: {
    dependencies: { client_cert: ['client_key'], client_key: ['client_cert'] },
  },
  [`${PALETTE}.mongodb.uri`]: matching('^mongodb(\\+srv)?://.'),
  [`${PALETTE}.mongodb.ca_cert`]: matching(CERTIFICATE),
  [`${PALETTE}.mongodb.client_cert`]: matching(CERTIFICATE),
  [`${PALETTE}.kubernetes.server`]: matching(API_SERVER.source),
  [`${PALETTE}.kubernetes.service_account_directory`]: matching('^/'),
  [`${PALETTE}.kubernetes.secrets[]`]: matching(either(NAME.source, qualified())),
  [`${PALETTE}.kubernetes.optional_secrets[]`]: matching(either(NAME.source, qualified())),
  [`${PALETTE}.kubernetes.helm_releases[]`]: matching(qualified()),
  [`${LOCATION}.bucket_name`]: matching(BUCKET.source),
  [`${LOCATION}.ca_cert`]: matching(CERTIFICATE),
  [`${LOCATION}.folder`]: matching(`^/*(${SEGMENT}(/${SEGMENT})*)?/*$`),
  [`${LOCATION}.filesystem.path`]: matching('^/'),
  [`${LOCATION}.ftp.server`]: matching(SERVER.source),
  [`${LOCATION}.ftp.directory`]: matching(`^${NOT_UPWARDS}(/${NOT_UPWARDS})*$`),
  [`${LOCATION}.s3`]: {
    ...when(having('kms_key_id'), being('server_side_encryption', 'aws:kms')),
    dependencies: { access_key: ['secret_key'], secret_key: ['access_key'] },
  },
  [`${LOCATION}.s3.arn`]: matching('^arn:'),
  [`${LOCATION}.s3.s3_url`]: matching(SERVICE.source),
  [POLICY]: {
    allOf: [
      when(having('expiry_in_hour'), without(['retention_period']), having('retention_period')),
      when(having('include_cluster_resources'), without(['include_cluster_resources_mode'])),
    ],
  },
  [`${POLICY}.backup_locations`]: { uniqueItems: true },
  [`${POLICY}.backup_locations[]`]: matching(RESOURCE_NAME.source),
  [`${POLICY}.hours_of_day`]: { uniqueItems: true },
  [`${POLICY}.schedule`]: matching(FIVE_FIELDS.source),
  [`${POLICY}.namespaces[]`]: matching(NAMESPACE.source),
  [`${POLICY}.include_databases`]: { uniqueItems: true },
  [`${POLICY}.include_databases[]`]: { ...matching(DATABASE.source), not: { enum: SERVER_DATABASES } },
  [`${POLICY}.encryption.age_recipients`]: { uniqueItems: true },
  // The characters of Bech32 (BIP 173); its checksum is beyond a pattern.
  [`${POLICY}.encryption.age_recipients[]`]: matching('^age1(pq1)?[02-9ac-hj-np-z]+$'),
}

/** One of several ways to fill a map. */
interface Choice {
  readonly where: Keywords
  readonly required?: readonly string[]
  /** Of the attributes that any choice offers, those that may be written with this one. */
  readonly offers: readonly string[]
}

/** Inner maps before those they stand in. */
const CHOICES: readonly (readonly [string, readonly Choice[]])[] = [
  [
    `${PALETTE}.mongodb`,
    [
      { where: having('uri'), offers: [] },
      { where: not(having('uri')), offers: NOT_BESIDE_URI },
    ],
  ],
  [`${LOCATION}.s3`, choicesOf('credential_type', USES)],
  [LOCATION, choicesOf('storage_provider', NEEDS)],
  [
    POLICY,
    [
      { where: having('schedule'), offers: ['schedule'] },
      { where: having('hour_of_the_day'), required: ['interval'], offers: ['interval', 'hour_of_the_day'] },
      {
        where: not(having('schedule'), having('hour_of_the_day')),
        required: ['interval', 'hours_of_day'],
        offers: ['interval', 'hours_of_day'],
      },
      { where: not(having('interval'), having('hours_of_day'), having('hour_of_the_day')), offers: ['schedule'] },
    ],
  ],
]

/** One choice for each value of an attribute. */
function choicesOf(
  attribute: string,
  needs: Readonly<Record<string, { readonly required: readonly string[]; readonly forbidden: readonly string[] }>>,
): readonly Choice[] {
  const family = new Set(Object.values(needs).flatMap(({ required, forbidden }) => [...required, ...forbidden]))
  return Object.entries(needs).map(([value, { required, forbidden }]) => ({
    where: being(attribute, value),
    required,
    offers: [...family].filter((name) => !forbidden.includes(name)),
  }))
}

function find(schema: JsonSchema, address: string): JsonSchema {
  let found: JsonSchema | undefined = schema
  for (const part of address.replaceAll('[]', '.[]').split('.').filter(Boolean)) {
    const named: JsonSchema['additionalProperties'] = found?.additionalProperties
    if (part === '[]') found = found?.items
    else found = part === '*' ? (typeof named === 'object' ? named : undefined) : found?.properties?.[part]
  }
  if (!found) throw new Error(`the schema has no attribute ${address}`)
  return found
}

function matching(pattern: string): Keywords {
  return { pattern }
}

function either(one: string, other: string): string {
  return `(${one})|(${other})`
}

/** `namespace/name` */
function qualified(): string {
  return `${NAMESPACE.source.slice(0, -1)}/${NAME.source.slice(1)}`
}

function having(...names: readonly string[]): Keywords {
  return { required: names }
}

function without(names: readonly string[]): Keywords {
  return { properties: Object.fromEntries(names.map((name) => [name, false])) }
}

function not(...excluded: readonly Keywords[]): Keywords {
  return { not: { anyOf: excluded } }
}

function being(name: string, value: string): Keywords {
  return { required: [name], properties: { [name]: { const: value } } }
}

/** As entries: an object with a method-like `then` looks like a promise to the language. */
export function when(condition: Keywords, consequence: Keywords, otherwise?: Keywords): Keywords {
  const branches = [
    ['if', condition],
    ['then', consequence],
  ]
  return Object.fromEntries(otherwise ? [...branches, ['else', otherwise]] : branches)
}
