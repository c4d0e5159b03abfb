import { describe, expect, it } from 'vitest'
import type { PaletteConfig } from '../../agent/config/config.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { Secret } from '../../agent/core/secret.ts'
import { DAY_MS } from '../../agent/core/units.ts'
import { findAccess } from '../../agent/kubernetes/access.ts'
import { KubernetesClient } from '../../agent/kubernetes/client.ts'
import { discover } from '../../agent/palette/discover.ts'
import type { Installation } from '../../agent/palette/installation.ts'
import { testPalette } from '../runs/test-config.ts'
import { NAMESPACE, paletteObjects, ROOT_PASSWORD, secret } from '../support/kubernetes/palette.ts'
import { type KubernetesDouble, startKubernetesDouble } from '../support/kubernetes/server.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'
import { errorOf } from '../support/streams.ts'

const HOSTS = [0, 1, 2].map((index) => `mongo-${index}.mongo.hubble-system.svc:27017`).join(',')
const PASSWORD = encodeURIComponent(ROOT_PASSWORD)

describe('discovery', () => {
  it('finds a Palette: members, account, replica set, version, edition, what the chart was given', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    const found = await discoverIn(double)
    expect(found.mongodb.uri.reveal()).toBe(`mongodb://root:${PASSWORD}@${HOSTS}/?authSource=admin&replicaSet=rs0`)
    expect(found.mongodb).not.toHaveProperty('tls')
    expect(found).toMatchObject({ edition: 'palette', version: '4.9.14', namespace: NAMESPACE, problems: [] })
    expect(factsOf(found)).toMatchObject({
      'mongodb.members': HOSTS.replaceAll(',', ', '),
      'mongodb.password': '(sensitive)',
      'mongodb.tls': 'none',
      root_domain: 'palette.example.com',
      chart: 'spectro-mgmt-plane 4.9.14, revision 2, deployed',
    })
    expect(JSON.stringify(found)).not.toContain('swordfish')
  })

  it('finds a VerteX: mutual TLS with the certificates of the Secret', async () => {
    const { cert, key } = selfSignedCertificate(['mongo'])
    await using double = await startKubernetesDouble(vertex(cert, key))
    const found = await discoverIn(double)
    expect(found.mongodb.uri.reveal()).toContain('tls=true')
    expect(found.mongodb).toMatchObject({ caCert: cert, tls: { clientCert: cert, allowInvalidHostnames: true } })
    expect(found.mongodb.tls?.clientKey?.reveal()).toBe(key)
    expect(found.edition).toBe('vertex')
    expect(factsOf(found)['mongodb.tls']).toContain('names are not compared')
    expect(found.certificates.map(({ certificate }) => certificate)).toEqual([
      'Secret hubble-system/mongo-tls, key ca.crt',
      'Secret hubble-system/mongo-tls, key tls.crt',
    ])
    const aDayAway = found.certificates.map(({ expiresAt }) => Math.round((expiresAt.getTime() - Date.now()) / DAY_MS))
    expect(aDayAway).toEqual([1, 1])
  })

  it('compares names where the certificate has them', async () => {
    const names = [0, 1, 2].flatMap((index) => {
      const host = `mongo-${index}.mongo.hubble-system.svc`
      return [host, `${host}.cluster.local`]
    })
    const { cert, key } = selfSignedCertificate(names)
    await using double = await startKubernetesDouble(vertex(cert, key))
    expect((await discoverIn(double)).mongodb.tls?.allowInvalidHostnames).toBe(false)
  })

  it('does not take a Secret that nobody mounts for a proof of TLS', async () => {
    const lying = secret('mongo-tls', { 'ca.crt': 'x' })
    await using double = await startKubernetesDouble([...paletteObjects(), lying])
    expect(factsOf(await discoverIn(double))['mongodb.tls']).toBe('none')
  })

  it('finds an external MongoDB in the values of the chart', async () => {
    const external = {
      databaseUrl: 'mongodb+srv://hubble:$HUBBLE_DB_PASSWORD@db.example.net/?retryWrites=false',
      password: 'ext:swordfish',
    }
    await using double = await startKubernetesDouble(paletteObjects({ external }))
    const found = await discoverIn(double)
    expect(found.mongodb.uri.reveal()).toBe(
      'mongodb+srv://hubble:ext%3Aswordfish@db.example.net/?authSource=admin&retryWrites=false',
    )
    expect(factsOf(found)).toMatchObject({ mongodb: 'external', 'mongodb.internal': 'false' })
  })

  it('uses TLS where the file names an authority, and says when nobody is there to connect to', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    const { cert } = selfSignedCertificate()
    const found = await discoverIn(double, { mongodbOverrides: { caCert: cert } })
    expect(found.mongodb).toMatchObject({ caCert: cert })
    expect(found.certificates).toEqual([])
    expect(found.mongodb.uri.reveal()).toContain('tls=true')
    const mongo = double.store.find('StatefulSet', NAMESPACE, 'mongo')
    if (mongo) double.store.put({ ...mongo, spec: { ...Object(mongo['spec']), replicas: 0 } })
    expect(await errorOf(discoverIn(double))).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('StatefulSet hubble-system/mongo has 0 replicas'),
    })
  })

  it('takes what the file says, and says that it did', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    const found = await discoverIn(double, {
      edition: 'vertex',
      paletteVersion: '4.8.1',
      mongodbOverrides: { username: 'backup', password: new Secret('own'), replicaSet: 'rs9' },
    })
    expect(found.mongodb.uri.reveal()).toBe(`mongodb://backup:own@${HOSTS}/?authSource=admin&replicaSet=rs9`)
    expect(found.facts.filter(({ from }) => from === 'configuration').map(({ name }) => name)).toEqual([
      'namespace',
      'version',
      'edition',
      'mongodb.username',
      'mongodb.password',
    ])
    expect(double.calls.filter((call) => call.includes('spectromongosecret'))).toEqual([])
  })

  it('asks for no account where the file has a connection string', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    double.faults.deny({ plural: 'statefulsets' })
    const uri = new Secret('mongodb://other')
    const found = await discoverIn(double, { mongodb: { uri } })
    expect(found.mongodb.uri).toBe(uri)
    expect(found.problems.join()).toContain('resources: ["statefulsets"]')
  })

  it('names the namespace that is wrong', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    expect(await errorOf(discoverIn(double, { namespace: 'palette' }))).toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('there is no StatefulSet palette/mongo'),
      hint: expect.stringContaining('provider.palette.namespace'),
    })
  })

  it('names the Secret that is missing, the key that is missing, and the rule that is missing', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    double.store.put(secret('spectromongosecret', { other: 'x' }))
    expect(await errorOf(discoverIn(double))).toMatchObject({
      message: expect.stringContaining('it has no key mongoRootPassword'),
      hint: 'It has other. Set provider.palette.mongodb.password.',
    })
    double.store.remove('Secret', NAMESPACE, 'spectromongosecret')
    expect(await errorOf(discoverIn(double))).toMatchObject({
      message: expect.stringContaining('there is no Secret hubble-system/spectromongosecret'),
    })
    double.faults.deny({ plural: 'secrets', name: 'spectromongosecret' })
    expect(await errorOf(discoverIn(double))).toMatchObject({
      code: 'permission',
      hint: expect.stringContaining('resourceNames: ["spectromongosecret"]'),
    })
  })

  it('goes on without what is only good to know, and says what is missing', async () => {
    await using double = await startKubernetesDouble(paletteObjects())
    double.faults.deny({ namespace: 'default' })
    double.store.remove('ConfigMap', NAMESPACE, 'spectro-mgmt-version')
    const found = await discoverIn(double)
    expect(found).not.toHaveProperty('version')
    expect(found.problems).toEqual([
      expect.stringContaining('spectro-mgmt-version does not exist'),
      expect.stringContaining('verbs: ["list"]'),
    ])
  })

  it('does not guess the edition where the signs disagree', async () => {
    const { cert, key } = selfSignedCertificate(['mongo'])
    const mixed = paletteObjects({ edition: 'palette', tls: { ca: cert, cert, key } })
    await using double = await startKubernetesDouble(mixed)
    const found = await discoverIn(double)
    expect(found).not.toHaveProperty('edition')
    expect(found.problems).toEqual([expect.stringContaining('Set provider.palette.edition')])
  })

  it('finds the StatefulSet by its labels where it has another name', async () => {
    const objects = paletteObjects().map((object) =>
      object.kind === 'StatefulSet' && object.metadata.name === 'mongo'
        ? { ...object, metadata: { ...object.metadata, name: 'hubble-mongo' } }
        : object,
    )
    await using double = await startKubernetesDouble(objects)
    expect((await discoverIn(double)).mongodb.uri.reveal()).toContain('@hubble-mongo-0.mongo.hubble-system.svc')
  })
})

function vertex(cert: string, key: string) {
  return paletteObjects({ edition: 'vertex', tls: { ca: cert, cert, key } })
}

async function discoverIn(double: KubernetesDouble, changes: Partial<PaletteConfig> = {}): Promise<Installation> {
  const { mongodb: _, ...palette } = testPalette({
    kubernetes: { secrets: [], optionalSecrets: [], helmReleases: [{ namespace: 'default', name: 'hubble' }] },
  })
  const access = findAccess({ server: double.url, serviceAccountDirectory: double.directory }, {})
  if (!access) throw new Error('there is no access')
  using client = new KubernetesClient(access, systemClock)
  return await discover({ client, palette: { ...palette, ...changes }, signal: new AbortController().signal })
}

function factsOf({ facts }: Installation): Record<string, string> {
  return Object.fromEntries(facts.map(({ name, value }) => [name, value]))
}
