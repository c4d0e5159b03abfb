import { fromNodeProviderChain, fromTemporaryCredentials } from '@aws-sdk/credential-providers'
import type { S3LocationConfig } from '../../config/config.ts'
import { Failure } from '../../core/errors.ts'
import { CredentialsUnavailable } from './classify.ts'

interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

type Provider = ReturnType<typeof fromTemporaryCredentials>

/**
 * What requests are signed with. Temporary credentials are renewed by the SDK minutes before they expire, in the
 * middle of a run too. The client hands on its own connections, proxy and authorities to whoever asks for them.
 */
export function credentialsOf(config: S3LocationConfig): Keys | Provider {
  const { credentialType, arn, externalId, name } = config
  const keys = keysOf(config)
  if (credentialType === 'default') {
    return explained('looking for credentials', fromNodeProviderChain(), DEFAULT_HINT)
  }
  if (credentialType === 'sts') {
    if (arn === undefined) throw incomplete(name, 'arn is needed for credential_type "sts"')
    const params = {
      RoleArn: arn,
      RoleSessionName: 'palette-backup',
      ...(externalId === undefined ? {} : { ExternalId: externalId }),
    }
    const provider = fromTemporaryCredentials({ params, ...(keys ? { masterCredentials: keys } : {}) })
    return explained(`assuming the role ${arn}`, provider, ROLE_HINT)
  }
  if (!keys) throw incomplete(name, 'access_key and secret_key are needed for credential_type "secret"')
  return keys
}

const DEFAULT_HINT =
  'Give the service account of the pod a role (IRSA or pod identity), or use credential_type "secret" or "sts".'
const ROLE_HINT = 'Check arn and external_id, who may assume the role, and the credentials that ask for it.'

/** Tells a failure to get credentials from a failure of the request they were meant for. */
function explained(doing: string, provider: Provider, hint: string): Provider {
  return async (properties) => {
    try {
      return await provider(properties)
    } catch (cause) {
      throw new CredentialsUnavailable(doing, hint, cause)
    }
  }
}

function keysOf({ accessKey, secretKey }: S3LocationConfig): Keys | undefined {
  return accessKey && secretKey ? { accessKeyId: accessKey.reveal(), secretAccessKey: secretKey.reveal() } : undefined
}

function incomplete(name: string, what: string): Failure {
  return new Failure(`opening ${name}: ${what}`, { code: 'config' })
}
