import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import { findAccess } from '../../agent/kubernetes/access.ts'
import { testKubernetes } from '../conformance/kubernetes.ts'
import { KUBERNETES_PEERS, startKubernetes } from './servers/kubernetes.ts'
import { peersMissing } from './servers/peer.ts'

describe.skipIf(peersMissing(...KUBERNETES_PEERS))('a real control plane', () => {
  testKubernetes('kube-apiserver', async () => {
    const kubernetes = await startKubernetes()
    const serviceAccountDirectory = await kubernetes.mountServiceAccount('default', 'default')
    await writeFile(join(serviceAccountDirectory, 'token'), kubernetes.adminToken)
    const access = findAccess({ server: kubernetes.url, serviceAccountDirectory }, {})
    if (!access) throw new Error('there is no access')
    const { credentials } = access
    return {
      access,
      strangerAccess: {
        ...access,
        credentials: async () => ({ ...(await credentials()), token: new Secret('unknown') }),
      },
      namespace: 'default',
      create: (...objects) => kubernetes.apply(...objects),
      [Symbol.asyncDispose]: () => kubernetes[Symbol.asyncDispose](),
    }
  })
})
