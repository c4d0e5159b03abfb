/**
 * What of a connection string MongoDB's driver would refuse before it asks anybody. The driver itself knows more, but is
 * too large for a process that never connects. Nothing in here quotes what stands in the text but the names of options that there are.
 */
export interface ConnectionStringProblem {
  /** The rest of a sentence: `the port of its host is no number from 1 to 65535` */
  readonly what: string
  /** What stands in the place of an option and is none: not to be shown, as it may be half of a password. */
  readonly unknownOption?: string
}

/** As the driver takes a text apart; mongodb-connection-string-url. */
const PARTS =
  /^mongodb(?<srv>\+srv)?:\/\/(?:(?<user>[^:@]*)(?::(?<password>[^@]*))?@)?(?<hosts>(?!:)[^/?@]*)(?<rest>.*)/

/** Undefined where nothing is known to be wrong. */
export function connectionStringProblem(uri: string): ConnectionStringProblem | undefined {
  const { srv, user = '', password = '', hosts = '', rest = '' } = PARTS.exec(uri)?.groups ?? {}
  // A password with an @ or a / of its own moves all that follows: first what tells of that.
  const what =
    problemOfCredential('user name', user) ??
    problemOfCredential('password', password) ??
    (/^[^/?]*@/.test(rest) ? 'a second @ stands before the hosts: as part of a password, write it %40' : undefined) ??
    (hosts === '' ? 'no host stands in it' : undefined) ??
    (/^mongodb(\+srv)?:\/\/[@:]/.test(uri) ? 'an @ or a colon stands where user name or host begin' : undefined) ??
    (srv ? problemOfService(hosts) : problemOfHosts(hosts.split(',')))
  return what === undefined ? problemOfOptions(rest) : { what }
}

function problemOfCredential(name: string, text: string): string | undefined {
  if (/[:/?#[\]@]/.test(text)) return `its ${name} holds one of : / ? # [ ] @ as it is: percent-encode it`
  return isEncoded(text) ? undefined : `its ${name} holds a % that begins no percent-encoding: write it %25`
}

function problemOfService(hosts: string): string | undefined {
  if (hosts.includes(',')) return 'mongodb+srv:// takes one name, not a list of hosts'
  return hosts.includes(':') ? 'mongodb+srv:// takes a name without a port' : undefined
}

function problemOfHosts(hosts: readonly string[]): string | undefined {
  for (const [index, host] of hosts.entries()) {
    const which = hosts.length === 1 ? 'its host' : `host ${index + 1}`
    // A socket of this machine.
    if (host.endsWith('.sock')) continue
    const url = URL.parse(`mongodb://${host.replaceAll(' ', '%20')}`)
    const port = /:([^:\]]*)$/.exec(host)?.[1] ?? ''
    const isNoPort = url ? Number(url.port || 1) === 0 : port !== '' && !(/^\d+$/.test(port) && Number(port) <= 65_535)
    if (isNoPort) return `the port of ${which} is no number from 1 to 65535`
    if (!url || !isEncoded(url.hostname)) return `the name of ${which} cannot be one`
  }
  return undefined
}

export const UNKNOWN_OPTION =
  'one of its options is not known; or a password holds a ? or a &, which are written %3F and %26'

function problemOfOptions(rest: string): ConnectionStringProblem | undefined {
  const url = URL.parse(`mongodb://host${rest}`)
  if (!url) return undefined
  if (!isEncoded(url.pathname)) return { what: 'the name of its database holds a % that begins no percent-encoding' }
  for (const name of new Set(url.searchParams.keys())) {
    const known = CANONICAL.get(name.toLowerCase())
    if (known === undefined) return { what: UNKNOWN_OPTION, unknownOption: name }
    // Each spelling by itself, as the driver does.
    const values = url.searchParams.getAll(name)
    if (known === 'readPreferenceTags') continue
    if (values.length > 1) return { what: `its option ${known} stands in it more than once` }
    if (values[0] === '' && known !== 'timeoutMS') return { what: `its option ${known} has no value` }
  }
  return undefined
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** What the driver takes by name; upper and lower case are the same. */
export const CONNECTION_OPTIONS: readonly string[] = `
enableOverloadRetargeting appName auth authMechanism authMechanismProperties authSource autoEncryption
autoSelectFamily autoSelectFamilyAttemptTimeout bsonRegExp checkKeys compressors connectTimeoutMS dbName
directConnection driverInfo enableUtf8Validation family fieldsAsRaw forceServerObjectId fsync heartbeatFrequencyMS
ignoreUndefined j journal loadBalanced localThresholdMS maxAdaptiveRetries maxConnecting maxIdleTimeMS maxPoolSize
maxStalenessSeconds minInternalBufferSize minPoolSize minHeartbeatFrequencyMS monitorCommands name noDelay pkFactory
promoteBuffers promoteLongs promoteValues useBigInt64 proxyHost proxyPassword proxyPort proxyUsername raw readConcern
readConcernLevel readPreference readPreferenceTags replicaSet retryReads retryWrites runtimeAdapters
serializeFunctions serverMonitoringMode serverSelectionTimeoutMS servername socketTimeoutMS srvAllowedHostsSuffix
srvMaxHosts srvServiceName ssl timeoutMS tls tlsAllowInvalidCertificates tlsAllowInvalidHostnames tlsCAFile tlsCRLFile
tlsCertificateKeyFile tlsCertificateKeyFilePassword tlsInsecure w waitQueueTimeoutMS writeConcern wtimeout wtimeoutMS
zlibCompressionLevel mongodbLogPath mongodbLogComponentSeverities mongodbLogMaxDocumentLength connectionType srvPoller
allowPartialTrustChain minDHSize pskCallback secureContext enableTrace requestCert rejectUnauthorized
checkServerIdentity keepAliveInitialDelay ALPNProtocols SNICallback session requestOCSP localAddress localPort hints
lookup ca cert ciphers crl ecdhCurve key passphrase pfx secureProtocol index __skipPingOnConnect`
  .trim()
  .split(/\s+/)

const CANONICAL: ReadonlyMap<string, string> = new Map(CONNECTION_OPTIONS.map((name) => [name.toLowerCase(), name]))
