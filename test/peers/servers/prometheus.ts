import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { stringify } from 'yaml'
import { endsWithThis } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import { freePort } from './free-port.ts'
import { peerBinary } from './peer.ts'

export const PROMETHEUS_PEERS = ['prometheus', 'alertmanager'] as const

interface Alert {
  readonly status: 'firing' | 'resolved'
  readonly labels: Readonly<Record<string, string>>
}

export interface Prometheus extends AsyncDisposable {
  /** Waits until Alertmanager has told of an alert with these labels, and it is as asked for. */
  alert(status: Alert['status'], name: string, labels?: Readonly<Record<string, string>>): Promise<void>
}

/**
 * Prometheus, which scrapes `target` (host:port) and judges its rules every second, with an Alertmanager that tells a
 * receiver here of every alert that fires or ends.
 *
 * @param rules texts of rule files
 */
export async function startPrometheus(target: string, rules: readonly string[]): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'palette-backup-prometheus-'))
  const told = new Map<string, Alert>()
  const receiver = createServer(async (request, response) => {
    const { alerts } = (await json(request)) as { alerts: Alert[] }
    for (const alert of alerts) told.set(JSON.stringify(alert.labels), alert)
    response.end()
  }).listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  const { port: hook } = Object(receiver.address())
  const [prometheusPort, alertmanagerPort] = [await freePort(), await freePort()]

  const children: ChildProcess[] = []
  const start = (name: string, args: readonly string[]): void => {
    const log = openSync(join(folder, `${name}.log`), 'w')
    children.push(spawn(...endsWithThis(peerBinary(name), args), { stdio: ['ignore', log, log], cwd: folder }))
  }
  await writeFile(join(folder, 'alertmanager.yml'), stringify(alertmanagerConfiguration(hook)))
  start('alertmanager', [
    '--config.file=alertmanager.yml',
    '--storage.path=alerts',
    `--web.listen-address=127.0.0.1:${alertmanagerPort}`,
    '--cluster.listen-address=',
  ])
  for (const [index, text] of rules.entries()) await writeFile(join(folder, `rules-${index}.yaml`), text)
  await writeFile(
    join(folder, 'prometheus.yml'),
    stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: ['rules-*.yaml'],
      alerting: { alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${alertmanagerPort}`] }] }] },
      scrape_configs: [{ job_name: 'palette-backup', static_configs: [{ targets: [target] }] }],
    }),
  )
  start('prometheus', [
    '--config.file=prometheus.yml',
    '--storage.tsdb.path=data',
    `--web.listen-address=127.0.0.1:${prometheusPort}`,
    // Alertmanager may not be known yet when the first alert fires.
    '--rules.alert.resend-delay=2s',
  ])
  const isReady = async (port: number): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok
  await until('Alertmanager', 30_000, () => isReady(alertmanagerPort))
  await until('Prometheus', 30_000, () => isReady(prometheusPort))

  return {
    async alert(status, name, labels = {}) {
      const wanted = Object.entries({ alertname: name, ...labels })
      await until(`${name} to be ${status} (${JSON.stringify(labels)})`, 100_000, async () =>
        [...told.values()].some(
          (alert) => alert.status === status && wanted.every(([label, value]) => alert.labels[label] === value),
        ),
      )
    },
    async [Symbol.asyncDispose]() {
      for (const child of children.reverse()) {
        const ended = once(child, 'exit')
        child.kill('SIGKILL')
        await ended
      }
      receiver.closeAllConnections()
      receiver.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Every alert is a group of its own, told of at once. */
function alertmanagerConfiguration(hook: number): object {
  const at_once = { group_by: ['...'], group_wait: '0s', group_interval: '1s', repeat_interval: '1h' }
  return {
    route: { receiver: 'test', ...at_once },
    receivers: [{ name: 'test', webhook_configs: [{ url: `http://127.0.0.1:${hook}/`, send_resolved: true }] }],
  }
}
