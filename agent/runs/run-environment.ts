import type { Config } from '../config/config.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What a process needs to run at all, to reach a network, and to find the cluster it runs in. */
const NEEDED: ReadonlySet<string> = new Set([
  ...['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG', 'LC_ALL', 'PALETTE_BACKUP_LOG_LEVEL'],
  // Whoever gives the agent another malloc, or tunes the one there is, means its runs as well.
  ...['LD_PRELOAD', 'LD_LIBRARY_PATH', 'MALLOC_ARENA_MAX', 'GLIBC_TUNABLES'],
  ...[
    'NODE_ENV',
    'NODE_OPTIONS',
    'NODE_COMPILE_CACHE',
    'NODE_EXTRA_CA_CERTS',
    'NODE_USE_SYSTEM_CA',
    'NODE_USE_ENV_PROXY',
  ],
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'OPENSSL_CONF', 'OPENSSL_MODULES'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'],
  ...['KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT', 'KUBECONFIG'],
])

/**
 * The environment of a run process. What the configuration reads with `$env` has been read: it is handed over with the
 * request, not left where `/proc/PID/environ` shows it. Only the AWS SDK's own chain looks for variables by itself.
 */
export function runEnvironment(env: Environment, { locations }: Pick<Config, 'locations'>): Environment {
  const usesChain = locations.some((one) => one.storageProvider === 's3' && one.credentialType !== 'secret')
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => {
      const upper = name.toUpperCase()
      return NEEDED.has(upper) || upper.startsWith('LC_') || (usesChain && upper.startsWith('AWS_'))
    }),
  )
}
