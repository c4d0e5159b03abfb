import type { Config, PaletteConfig, PolicyConfig } from '../../agent/config/config.ts'
import { Secret } from '../../agent/core/secret.ts'

export function testPolicy(changes: Partial<PolicyConfig> = {}): PolicyConfig {
  return {
    name: 'nightly',
    backupLocations: ['offsite', 'nas'],
    schedule: { kind: 'interval', intervalDays: 1, hoursOfDay: [2] },
    retentionDays: 14,
    keepMinimum: 3,
    catchUp: true,
    timeoutMs: 12 * 3_600_000,
    memoryLimitBytes: 512 * 1024 * 1024,
    includeDatabases: ['hubbledb'],
    includeClusterResources: 'never',
    compressionLevel: 3,
    allowCleartext: false,
    verifyAfterBackup: 'content',
    ...changes,
  }
}

export function testPalette(changes: Partial<PaletteConfig> = {}): PaletteConfig {
  return {
    clusterName: 'prod',
    namespace: 'hubble-system',
    mongodb: { uri: new Secret('mongodb://u:swordfish@h') },
    mongodbOverrides: {},
    kubernetes: { secrets: [], optionalSecrets: [], helmReleases: [] },
    ...changes,
  }
}

/** A whole configuration with a secret in it: "swordfish". */
export function testConfig(changes: Partial<Config> = {}): Config {
  return {
    digest: 'd1',
    palette: testPalette(),
    locations: [
      { name: 'offsite', storageProvider: 'filesystem', path: '/nowhere', folder: '', validate: true },
      {
        name: 'nas',
        storageProvider: 'ftp',
        host: '127.0.0.1',
        port: 21,
        directory: '/palette',
        username: 'backup',
        password: new Secret('swordfish'),
        tls: 'explicit',
        folder: '',
        validate: true,
      },
    ],
    policies: [testPolicy()],
    ...changes,
  }
}
