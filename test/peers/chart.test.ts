import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../agent/config/load.ts'
import { RECIPIENTS } from '../support/examples.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'
import type { ChartObject } from './servers/helm.ts'
import { CHART, CI_VALUES, helm, renderChart } from './servers/helm.ts'
import { peersMissing } from './servers/peer.ts'

const DEFAULT = ['-f', CI_VALUES['default'] ?? '']

interface Container {
  readonly image: string
  readonly args: readonly string[]
  readonly env: readonly { readonly name: string }[]
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly subPath?: string }[]
  readonly [key: string]: unknown
}

interface Pod {
  readonly containers: readonly [Container]
  readonly volumes: readonly { readonly name: string; readonly [key: string]: unknown }[]
  readonly [key: string]: unknown
}

interface Rule {
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
  readonly resourceNames?: readonly string[]
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'palette-backup-chart-'))
  const files = {
    'mongodb/uri': 'mongodb://host/',
    'aws/access_key': 'key',
    'aws/secret_key': 'secret',
    'ftp/password': 'secret',
    'ftp/ca.crt': selfSignedCertificate().cert,
    'age/recipient': RECIPIENTS[0],
  }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder, dirname(path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function of(objects: readonly ChartObject[], kind: string, name = 'palette-backup', namespace?: string): ChartObject {
  const found = objects.filter(
    ({ kind: its, metadata }) =>
      its === kind && metadata.name === name && (namespace === undefined || metadata.namespace === namespace),
  )
  const [object] = found
  if (!object || found.length > 1) throw new Error(`${found.length} of ${kind} ${name} were rendered`)
  return object
}

function podOf(objects: readonly ChartObject[], name = 'palette-backup'): Pod {
  return (of(objects, 'Deployment', name) as { spec?: { template: { spec: Pod } } }).spec?.template.spec as Pod
}

interface Right {
  readonly namespace: string
  readonly rules: readonly Rule[]
}

function rightsOf(objects: readonly ChartObject[], name: string): readonly Right[] {
  const roles = objects.filter(({ kind, metadata }) => kind === 'Role' && metadata.name === name)
  return sorted(roles.map(({ metadata, rules }) => ({ namespace: metadata.namespace, rules: rules as Rule[] })))
}

/** Where order means nothing, so that two of them can be compared. */
function sorted(rights: readonly Right[]): readonly Right[] {
  const rule = ({ resourceNames, ...others }: Rule): Rule =>
    resourceNames ? { ...others, resourceNames: [...resourceNames].sort() } : others
  return rights
    .map(({ namespace, rules }) => ({ namespace, rules: rules.map(rule) }))
    .sort((a, b) => (a.namespace < b.namespace ? -1 : 1))
}

async function withConfig(config: object, ...args: readonly string[]): Promise<readonly ChartObject[]> {
  const file = join(folder, `values-${Math.random()}.json`)
  await writeFile(file, JSON.stringify({ config }))
  return await renderChart('-f', file, ...args)
}

describe.skipIf(peersMissing('helm'))('the chart', () => {
  describe.each(Object.entries(CI_VALUES))('with ci/%s-values.yaml', (_, file) => {
    it('has nothing that helm lint complains of', async () => {
      expect(await helm('lint', '--strict', CHART, '-f', file)).toContain('1 chart(s) linted, 0 chart(s) failed')
    })

    it('runs one agent as the restricted pod security standard wants it, with nothing to write to but /tmp', async () => {
      const objects = await renderChart('-f', file)
      const [deployment] = objects.filter(({ kind }) => kind === 'Deployment')
      expect(deployment?.['spec']).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } })
      const pod = podOf(objects, deployment?.metadata.name)
      expect(pod).toMatchObject({
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 65532,
          fsGroup: 65532,
          seccompProfile: { type: 'RuntimeDefault' },
        },
        enableServiceLinks: false,
      })
      expect(pod['terminationGracePeriodSeconds']).toBeGreaterThanOrEqual(45)
      const [container] = pod.containers
      expect(container).toMatchObject({
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        readinessProbe: { httpGet: { path: '/readyz' } },
        livenessProbe: { httpGet: { path: '/healthz' } },
      })
      expect(container.args.every((argument) => typeof argument === 'string')).toBe(true)
    })

    it('mounts whole folders, each of a volume that is there, and restarts no pod for an edit', async () => {
      const objects = await renderChart('-f', file)
      const [deployment] = objects.filter(({ kind }) => kind === 'Deployment')
      const pod = podOf(objects, deployment?.metadata.name)
      const mounts = pod.containers[0].volumeMounts
      expect(mounts.filter(({ subPath }) => subPath !== undefined)).toEqual([])
      expect(mounts.map(({ name }) => name).sort()).toEqual(pod.volumes.map(({ name }) => name).sort())
      expect(new Set(mounts.map(({ mountPath }) => mountPath)).size).toBe(mounts.length)
      expect(JSON.stringify(deployment)).not.toContain('checksum')
    })

    it('labels everything, and selects by name and instance alone', async () => {
      const objects = await renderChart('-f', file)
      for (const { metadata } of objects) {
        expect(metadata.labels).toMatchObject({
          'app.kubernetes.io/name': expect.stringMatching(/^palette-backup(-test)?$/),
          'app.kubernetes.io/instance': 'palette-backup',
          'app.kubernetes.io/managed-by': 'Helm',
        })
        expect(metadata.namespace).toBeTruthy()
      }
      const selectors = objects.flatMap(({ kind, spec }) => {
        const { selector, podSelector } = Object(spec)
        if (kind === 'Service') return [selector]
        return selector || podSelector ? [(selector ?? podSelector).matchLabels] : []
      })
      for (const selector of selectors) {
        expect(Object.keys(selector).sort()).toEqual(['app.kubernetes.io/instance', 'app.kubernetes.io/name'])
      }
      expect(selectors.length).toBeGreaterThanOrEqual(2)
    })

    it('gives no right to change anything unless it is asked for, none on all of a cluster', async () => {
      const objects = await renderChart('-f', file)
      const roles = objects.filter(({ kind }) => kind === 'Role')
      for (const { metadata, rules } of roles) {
        if (metadata.name.endsWith('-restore')) continue
        for (const { verbs } of rules as Rule[]) {
          expect(verbs.filter((verb) => verb !== 'get' && verb !== 'list')).toEqual([])
        }
      }
      expect(objects.filter(({ kind }) => kind.startsWith('Cluster'))).toEqual([])
      expect(objects.filter(({ kind }) => kind === 'RoleBinding').length).toBe(roles.length)
    })

    it('hands the agent a configuration that there is nothing to say about', async () => {
      const objects = await renderChart('-f', file)
      const stored = objects.find((object) => 'palette-backup.yaml' in Object(object['data'] ?? object['stringData']))
      if (!stored) return expect(parse(await helm('show', 'values', CHART)).config).toEqual({})
      const text: string = Object(stored['data'] ?? stored['stringData'])['palette-backup.yaml']
      const written = text.replaceAll('/etc/palette-backup-secrets', folder)
      const env = { MONGODB_URI: 'mongodb://host/', AGE_RECIPIENT: RECIPIENTS[0] }
      const { diagnostics } = await loadConfig(written, { file: join(folder, 'palette-backup.yaml'), env })
      expect(diagnostics).toEqual([])
    })
  })

  it('gives exactly the rights that the program says it needs', async () => {
    const needed = JSON.parse(await readFile(new URL('../../docs/rbac.json', import.meta.url), 'utf8'))
    const objects = await renderChart('-f', CI_VALUES['restore'] ?? '')
    expect(rightsOf(objects, 'palette-backup')).toEqual(sorted(needed.backup))
    expect(rightsOf(objects, 'palette-backup-restore')).toEqual(sorted(needed.restore))
    const withoutReleases = await renderChart(...DEFAULT, '--set-json', 'rbac.helmReleaseNamespaces=[]')
    expect(withoutReleases.filter(({ metadata }) => metadata.namespace === 'default')).toEqual([])
  })

  it('keeps the configuration in a Secret where it is asked to, or uses one that is there', async () => {
    const kept = await renderChart('-f', CI_VALUES['secrets'] ?? '')
    expect(of(kept, 'Secret')['stringData']).toHaveProperty(['palette-backup.yaml'])
    expect(kept.filter(({ kind }) => kind === 'ConfigMap')).toEqual([])
    const volume = (pod: Pod): unknown => pod.volumes.find(({ name }) => name === 'config')
    expect(volume(podOf(kept))).toMatchObject({ secret: { secretName: 'palette-backup', defaultMode: 0o440 } })
    const named = await renderChart('-f', CI_VALUES['existing-secret'] ?? '')
    expect(volume(podOf(named))).toMatchObject({ secret: { secretName: 'palette-backup-config' } })
    const map = await renderChart('-f', CI_VALUES['existing-configmap'] ?? '')
    expect(volume(podOf(map))).toMatchObject({ configMap: { name: 'palette-backup-config' } })
    expect(map.map(({ kind }) => kind).sort()).toEqual(['Deployment', 'Pod', 'Service', 'ServiceAccount'])
  })

  it('turns Secrets into files, and the token into the option of the agent', async () => {
    const objects = await renderChart('-f', CI_VALUES['secrets'] ?? '')
    const pod = podOf(objects)
    const [{ args, volumeMounts }] = pod.containers
    expect(volumeMounts.map(({ mountPath }) => mountPath)).toEqual(
      expect.arrayContaining(['mongodb', 'aws', 'ftp'].map((name) => `/etc/palette-backup-secrets/${name}`)),
    )
    expect(args).toContain('--token-file=/etc/palette-backup-token/token')
    const token = Object(of(objects, 'Secret', 'palette-backup-token')['data']).token
    expect(Buffer.from(token, 'base64').toString()).toMatch(/^[A-Za-z0-9]{48}$/)
  })

  it('pulls from one mirror, by digest, with every pull Secret once', async () => {
    const pod = podOf(await renderChart('-f', CI_VALUES['air-gapped'] ?? ''))
    expect(pod.containers[0].image).toMatch(/^mirror\.example\.internal:5000\/tools\/palette-backup@sha256:0123/)
    expect(pod['imagePullSecrets']).toEqual([{ name: 'spectro-image-pull-secret' }, { name: 'mirror' }])
    const tagged = podOf(await renderChart(...DEFAULT, '--set', 'image.tag=2.0', '--set', 'image.registry='))
    expect(tagged.containers[0].image).toBe('palette-backup:2.0')
  })

  it('keeps a volume of backups when it is uninstalled', async () => {
    const objects = await renderChart('-f', CI_VALUES['volume'] ?? '')
    const claim = of(objects, 'PersistentVolumeClaim')
    expect(claim.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' })
    const theirs = await renderChart('-f', CI_VALUES['volume'] ?? '', '--set', 'persistence.existingClaim=nfs')
    expect(theirs.filter(({ kind }) => kind === 'PersistentVolumeClaim')).toEqual([])
    expect(JSON.stringify(podOf(theirs))).toContain('"claimName":"nfs"')
  })

  it('has the alerts, the dashboard and the scraping for Prometheus and Grafana', async () => {
    const objects = await renderChart('-f', CI_VALUES['monitoring'] ?? '')
    const { groups } = of(objects, 'PrometheusRule')['spec'] as { groups: { rules: Record<string, unknown>[] }[] }
    const alerts = groups.flatMap(({ rules }) => rules)
    expect(alerts.length).toBeGreaterThan(8)
    expect(alerts.map(({ alert }) => alert)).not.toContain('PaletteBackupPartial')
    expect(alerts.find(({ alert }) => alert === 'PaletteBackupStale')).toMatchObject({
      labels: { severity: 'critical', team: 'platform' },
      annotations: {
        summary: expect.stringContaining('{{ $labels.policy }}'),
        runbook_url: 'https://wiki.example.com/palette-backup/stale.md',
      },
    })
    expect(of(objects, 'ServiceMonitor')['spec']).toMatchObject({ endpoints: [{ port: 'http', path: '/metrics' }] })
    const dashboards = of(objects, 'ConfigMap', 'palette-backup-dashboards')
    expect(dashboards.metadata).toMatchObject({ namespace: 'monitoring', labels: { grafana_dashboard: '1' } })
    expect(JSON.parse(Object(dashboards['data'])['palette-backup.json']).uid).toBe('palette-backup')
    expect(of(objects, 'NetworkPolicy')['spec']).toMatchObject({ policyTypes: ['Ingress', 'Egress'] })
    const plain = (await renderChart(...DEFAULT)).map(({ kind }) => kind)
    expect(plain.filter((kind) => /Monitor|Rule|NetworkPolicy/.test(kind))).toEqual([])
  })

  it('is installed by the values that the documentation shows, and its Job fits it', async () => {
    const page = await readFile(new URL('../../docs/kubernetes.md', import.meta.url), 'utf8')
    const [values = '', job = ''] = [...page.matchAll(/```yaml\n([^`]*)```/g)].map(([, block]) => block ?? '')
    const file = join(folder, 'documented.yaml')
    await writeFile(file, values)
    // A key that is copied from a page is nobody's.
    await expect(renderChart('-f', file)).rejects.toThrow('age_recipients')
    await writeFile(file, values.replace('age1...', RECIPIENTS[0]))
    const objects = await renderChart('-f', file)
    expect(objects.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['ServiceMonitor', 'PrometheusRule']))
    const agent = podOf(objects)
    const { spec } = parse(job).spec.template as { spec: Pod }
    for (const { name, ...mount } of spec.containers[0].volumeMounts) {
      if (name !== 'tmp') expect(agent.containers[0].volumeMounts).toContainEqual(expect.objectContaining(mount))
    }
    expect(spec['serviceAccountName']).toBe(agent['serviceAccountName'])
  })

  it('gives the rights that the configuration asks for', async () => {
    const rendered = await renderChart(...DEFAULT)
    const values = parse(Object(of(rendered, 'ConfigMap')['data'])['palette-backup.yaml'])
    Object.assign(values.provider.palette, {
      namespace: 'palette-mgmt',
      mongodb: { stateful_set: 'mongodb' },
      kubernetes: { optional_secrets: ['tools/token'], helm_releases: ['palette-charts/hubble'] },
    })
    values.resource.backup_policy.nightly.include_cluster_resources_mode = 'always'
    const objects = await withConfig(values)
    const rights = new Map(rightsOf(objects, 'palette-backup').map(({ namespace, rules }) => [namespace, rules]))
    const everything = { apiGroups: ['*'], resources: ['*'], verbs: ['get', 'list'] }
    for (const namespace of ['palette-mgmt', 'jet-system', 'cp-system', 'ui-system']) {
      expect(rights.get(namespace)).toContainEqual(everything)
    }
    expect(rights.get('palette-mgmt')).toContainEqual(expect.objectContaining({ resourceNames: ['mongodb'] }))
    expect(rights.get('tools')).toMatchObject([{ resourceNames: ['token'], verbs: ['get'] }])
    expect(rights.get('palette-charts')).toMatchObject([{ resources: ['secrets'], verbs: ['list'] }])
    expect(rights.has('hubble-system')).toBe(false)
  })
})
