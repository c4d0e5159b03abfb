import { Secret } from '../../core/secret.ts'
import type { PaletteConfig } from '../config.ts'
import type { Resolved } from '../references.ts'
import type { Reporter } from '../reporter.ts'
import type { ConfigFileValue } from '../schema.ts'
import { checkCaCert } from './place.ts'

export function buildPalette({ provider }: Resolved<ConfigFileValue>, report: Reporter): PaletteConfig {
  const { cluster_name: clusterName, namespace, mongodb } = provider.palette
  const path = ['provider', 'palette', 'mongodb']
  if (mongodb.uri !== '' && !/^mongodb(\+srv)?:\/\/./.test(mongodb.uri)) {
    const detail = 'Expected a connection string that begins with mongodb:// or mongodb+srv://.'
    report.error({ path: [...path, 'uri'], at: 'key', summary: 'Invalid connection string', detail })
  }
  const caCert = checkCaCert(mongodb.ca_cert, path, report)
  return { clusterName, namespace, mongodb: { uri: new Secret(mongodb.uri), ...caCert } }
}
