import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import { Secret } from '../../agent/core/secret.ts'
import { findAccess, type KubernetesAccess } from '../../agent/kubernetes/access.ts'
import { KubernetesClient } from '../../agent/kubernetes/client.ts'
import { CONFIG_MAPS, SECRETS } from '../../agent/kubernetes/object.ts'
import { testKubernetes } from '../conformance/kubernetes.ts'
import { NAMESPACE, paletteObjects } from '../support/kubernetes/palette.ts'
import { type KubernetesDouble, startKubernetesDouble } from '../support/kubernetes/server.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'
import { errorOf } from '../support/streams.ts'

testKubernetes('the double', async () => {
  const double = await startKubernetesDouble()
  const access = accessTo(double)
  const credentials = access.credentials
  const stranger = { ...access, credentials: async () => ({ ...(await credentials()), token: new Secret('unknown') }) }
  return {
    access,
    strangerAccess: stranger,
    namespace: 'default',
    create: async (...objects) => objects.forEach((object) => void double.store.put(object)),
    [Symbol.asyncDispose]: () => double.stop(),
  }
})

const SECRET = { resource: SECRETS, namespace: NAMESPACE, name: 'configserversecret' }

describe('calls of the Kubernetes API', () => {
  it('wait as long as a throttling server asks for, and are made again', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    double.faults.throttle(7, { plural: 'secrets' }, 2)
    const waits: number[] = []
    using client = clientOf(double, waits)
    expect((await client.get(SECRET, { signal: never() })).metadata.name).toBe('configserversecret')
    expect(waits).toEqual([7000, 7000])
  })

  it('do not wait for hours because a server asks for it', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    double.faults.throttle(3600, { plural: 'secrets' })
    using client = clientOf(double)
    expect(await errorOf(client.get(SECRET, { signal: never() }))).toMatchObject({
      code: 'unavailable',
      retryable: true,
    })
  })

  it('are made again after 503, a cut connection and half an answer', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    double.faults.unavailable({ plural: 'secrets' })
    double.faults.plan({ kind: 'cut' }, { plural: 'secrets' })
    double.faults.plan({ kind: 'half' }, { plural: 'secrets' })
    using client = clientOf(double)
    expect((await client.get(SECRET, { signal: never() })).metadata.name).toBe('configserversecret')
    expect(double.calls).toHaveLength(4)
  })

  it('end after a few times, saying what was asked and of whom', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    double.faults.plan({ kind: 'cut' }, {}, 100)
    using client = clientOf(double)
    expect(await errorOf(client.get(SECRET, { signal: never() }))).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining(
        `reading Secret hubble-system/configserversecret: no answer from the API server ${double.url}`,
      ),
    })
    expect(double.calls).toHaveLength(6)
  })

  it('name the rule that a Role lacks', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    double.faults.deny({ plural: 'secrets' })
    using client = clientOf(double)
    expect(await errorOf(client.get(SECRET, { signal: never() }))).toMatchObject({
      code: 'permission',
      retryable: false,
      message: expect.stringContaining('cannot get resource "secrets"'),
      hint: expect.stringContaining(
        'namespace hubble-system with the rule { apiGroups: [""], resources: ["secrets"], resourceNames: ["configserversecret"], verbs: ["get"] }',
      ),
    })
    expect(double.calls).toHaveLength(1)
  })

  it('use the token that the kubelet has put in place meanwhile', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    using client = clientOf(double)
    await client.get(SECRET, { signal: never() })
    await double.rotateToken()
    expect((await client.get(SECRET, { signal: never() })).kind).toBe('Secret')
  })

  it('do not go to a server that the cluster has not vouched for, and say so without the token', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    await writeFile(join(double.directory, 'ca.crt'), selfSignedCertificate().cert)
    using client = clientOf(double)
    const error = await errorOf(client.get(SECRET, { signal: never() }))
    expect(error).toMatchObject({ code: 'unreachable', retryable: false, hint: expect.stringContaining('ca.crt') })
    expect(double.calls).toEqual([])
  })

  it('go on with a list that the server no longer has: nothing twice, nothing left out', async () => {
    await using double = await startKubernetesDouble()
    const names = Array.from({ length: 130 }, (_, index) => `map-${String(index).padStart(3, '0')}`)
    for (const name of names) {
      double.store.put({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: NAMESPACE } })
    }
    using client = clientOf(double)
    const found: string[] = []
    for await (const { metadata } of client.list(CONFIG_MAPS, NAMESPACE, { signal: never() })) {
      found.push(metadata.name)
      if (found.length === 60) double.store.expireLists()
    }
    expect(found).toEqual(names)
    expect(double.calls).toHaveLength(4)
  })

  it('end with an abort, also while they wait', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    double.faults.throttle(20, {}, 100)
    const controller = new AbortController()
    using client = new KubernetesClient(accessTo(double), systemClock)
    const asked = errorOf(client.get(SECRET, { signal: controller.signal }))
    setTimeout(() => controller.abort(), 50)
    expect(await asked).toMatchObject({ code: 'cancelled' })
  })
})

describe('access to the Kubernetes API', () => {
  it('is found in the environment of a pod', () => {
    const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' }
    expect(findAccess({}, env)?.server).toBe('https://10.0.0.1:443')
    expect(findAccess({}, { ...env, KUBERNETES_SERVICE_HOST: 'fd00::1' })?.server).toBe('https://[fd00::1]:443')
    expect(findAccess({ server: 'https://api.example.com/' }, env)?.server).toBe('https://api.example.com')
    expect(findAccess({}, {})).toBeUndefined()
  })

  it('says which file is missing', async () => {
    const access = findAccess({ server: 'https://127.0.0.1:1', serviceAccountDirectory: '/nowhere' }, {})
    expect(await errorOf(access?.credentials() ?? Promise.resolve())).toMatchObject({
      code: 'config',
      message: 'reading /nowhere/token: there is no such file',
    })
  })

  it('prints no token', async () => {
    await using double = await startKubernetesDouble()
    const credentials = await accessTo(double).credentials()
    expect(inspect(credentials)).not.toContain(credentials.token.reveal())
  })
})

function accessTo({ url, directory }: KubernetesDouble): KubernetesAccess {
  const access = findAccess({ server: url, serviceAccountDirectory: directory }, {})
  if (!access) throw new Error('there is no access')
  return access
}

/** Waits are written down and take no time. */
function clientOf(double: KubernetesDouble, waits: number[] = []): KubernetesClient {
  const sleep = async (ms: number): Promise<void> => void waits.push(ms)
  return new KubernetesClient(accessTo(double), { ...systemClock, sleep })
}

function never(): AbortSignal {
  return new AbortController().signal
}
