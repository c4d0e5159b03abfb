import type { Registry } from 'prom-client'
import type { CertificateExpiry } from '../core/certificate.ts'
import type { RunEvent } from '../core/events.ts'
import type { Sample } from './declare.ts'
import { declareCounter, declareGauge, toSeconds } from './declare.ts'
import type { ConfigFacts } from './metrics.ts'

export interface ConfigSources {
  readonly version: string
  readonly now: () => Date
}

export interface ReloadRecorder {
  onEvent(event: RunEvent): void
  onApplied(config: Pick<ConfigFacts, 'digest' | 'certificates'>): void
  /** The file, read again, is what is in force. */
  onUnchanged(): void
  onRefused(): void
}

export function declareConfigMetrics(registry: Registry, { version, now }: ConfigSources): ReloadRecorder {
  let digest: string | undefined
  let certificates: readonly CertificateExpiry[] = []
  let found: readonly CertificateExpiry[] = []
  let lastOk = false
  let lastAppliedAt: Date | undefined
  let applied = 0
  let refused = 0

  declareGauge(registry, {
    name: 'config_last_reload_successful',
    help: '1: the configuration file, as it last was read, is in force. 0: it was refused and an older one goes on.',
    read: () => [[{}, lastOk ? 1 : 0]],
  })
  declareGauge(registry, {
    name: 'config_last_reload_success_timestamp_seconds',
    help: 'When a configuration was last applied, in seconds since 1970.',
    read: () => [[{}, toSeconds(lastAppliedAt)]],
  })
  declareCounter(registry, {
    name: 'config_reloads_total',
    help: 'Configurations that were applied or refused since the agent started, the first one included.',
    labels: ['result'],
    read: () => [
      [{ result: 'applied' }, applied],
      [{ result: 'refused' }, refused],
    ],
  })
  declareGauge(registry, {
    name: 'config_info',
    help: 'Always 1; the label is the SHA-256 of the configuration file that is in force.',
    labels: ['digest'],
    read: () => (digest === undefined ? [] : [[{ digest }, 1]]),
  })
  declareGauge(registry, {
    name: 'certificate_expiry_timestamp_seconds',
    help: 'When the first certificate expires of those that an attribute of the configuration, or a key of a Secret that was discovered, holds, in seconds since 1970.',
    labels: ['certificate'],
    read: () =>
      [...certificates, ...found].map(({ certificate, expiresAt }): Sample => [{ certificate }, toSeconds(expiresAt)]),
  })
  declareGauge(registry, {
    name: 'build_info',
    help: 'Always 1; the label is the version of this program.',
    labels: ['version'],
    read: () => [[{ version }, 1]],
  })

  return {
    onEvent(event) {
      // A cluster that does not answer has not got new certificates.
      if (event.type !== 'installation.found' || !event.certificates) return
      found = event.certificates.map(({ certificate, expiresAt }) => ({ certificate, expiresAt: new Date(expiresAt) }))
    },
    onApplied(config) {
      digest = config.digest
      certificates = config.certificates ?? []
      lastOk = true
      lastAppliedAt = now()
      applied += 1
    },
    onUnchanged() {
      lastOk = true
    },
    onRefused() {
      lastOk = false
      refused += 1
    },
  }
}
