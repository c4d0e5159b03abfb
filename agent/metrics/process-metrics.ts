import { collectDefaultMetrics, Registry } from 'prom-client'
import { SECOND_MS } from '../core/units.ts'

/** The usual metrics of a process, in their usual names, of those that prom-client knows. */
const WANTED = [
  'process_cpu_seconds_total',
  'process_start_time_seconds',
  'process_resident_memory_bytes',
  'process_open_fds',
  'process_max_fds',
  'nodejs_heap_size_used_bytes',
  'nodejs_external_memory_bytes',
  'nodejs_version_info',
]

/** Only these: some others have names that a linter of metrics refuses. */
export function addProcessMetrics(registry: Registry): void {
  const all = new Registry()
  // The delay of the event loop is not among them: measuring it finely would wake an idle process all the time.
  collectDefaultMetrics({ register: all, eventLoopMonitoringPrecision: SECOND_MS })
  for (const name of WANTED) {
    const metric = all.getSingleMetric(name)
    if (metric) registry.registerMetric(metric)
  }
}
