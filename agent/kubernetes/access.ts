import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, Failure } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'

/** Where the kubelet mounts what a pod needs to speak to the API server. */
export const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount'

/** How to reach the API server. Token and authority are read again for each call: the kubelet replaces both. */
export interface KubernetesAccess {
  /** `https://10.0.0.1:443` */
  readonly server: string
  readonly credentials: () => Promise<{ readonly token: Secret; readonly caCert: string }>
}

export interface AccessSettings {
  /** Instead of the one the pod's environment names. */
  readonly server?: string
  /** Holds `token` and `ca.crt`. */
  readonly serviceAccountDirectory?: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** Undefined where there is no API server: outside a cluster, with nothing said about one. */
export function findAccess(settings: AccessSettings, env: Environment): KubernetesAccess | undefined {
  const server = settings.server ?? serverOf(env)
  if (server === undefined) return undefined
  const directory = settings.serviceAccountDirectory ?? SERVICE_ACCOUNT_DIRECTORY
  return {
    server: server.replace(/\/+$/, ''),
    async credentials() {
      const token = (await readMounted(directory, 'token')).trim()
      return { token: new Secret(token), caCert: await readMounted(directory, 'ca.crt') }
    },
  }
}

/** Set by the kubelet in every container; an IPv6 address comes without brackets. */
function serverOf(env: Environment): string | undefined {
  const host = env['KUBERNETES_SERVICE_HOST']
  const port = env['KUBERNETES_SERVICE_PORT']
  if (!host || !port) return undefined
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`
}

async function readMounted(directory: string, name: string): Promise<string> {
  const path = join(directory, name)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    const errno = errnoOf(cause)
    const why = errno === 'ENOENT' ? 'there is no such file' : `it cannot be read (${errno ?? 'unknown'})`
    throw new Failure(`reading ${path}: ${why}`, {
      code: 'config',
      hint: 'Let the pod mount its ServiceAccount token (automountServiceAccountToken: true), or set provider.palette.kubernetes.service_account_directory.',
      cause,
    })
  }
  if (text.trim() !== '') return text
  throw new Failure(`reading ${path}: it is empty`, { code: 'config' })
}
