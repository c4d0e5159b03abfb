import type { RunEvent } from '../core/events.ts'
import { formatBytes, formatDuration } from '../core/units.ts'
import type { CommandContext } from './context.ts'

const BAR_WIDTH = 24
/** Carriage return and "erase to the end of the line" (ECMA-48, EL). */
const START_OF_LINE = '\r\u001b[K'

/** Shows a run as it goes: a bar on a terminal, a line per stage elsewhere. Give it every event. */
export function progressPrinter({ stderr, clock }: CommandContext): (event: RunEvent) => void {
  const startedMs = clock.monotonicMs()
  let stage = ''
  let shown = false
  const clear = (): void => {
    if (shown) stderr.write(START_OF_LINE)
    shown = false
  }
  const line = (text: string): void => {
    clear()
    stderr.write(`${text}\n`)
  }
  return (event) => {
    switch (event.type) {
      case 'run.stage':
        stage = event.stage
        if (!stderr.isTerminal) return
        clear()
        stderr.write(stage)
        shown = true
        return
      case 'run.progress':
        if (!stderr.isTerminal) return
        clear()
        stderr.write(bar(stage, event, clock.monotonicMs() - startedMs))
        shown = true
        return
      case 'source.read':
        if (event.consistency === 'none') line(`Warning: the data is not of one instant: ${event.reason}`)
        return
      case 'installation.found':
        for (const problem of event.problems) line(`Warning: ${problem}`)
        return
      case 'run.warning':
        return line(`Warning: ${event.message}`)
      case 'location.stored':
        return line(
          `Stored ${event.backupId} in ${event.location} (${formatBytes(event.storedBytes)}), read back and compared`,
        )
      case 'location.failed':
        line(`Failed in ${event.location} (${event.stage}): ${event.failure.message}`)
        if (event.failure.hint) line(`  ${event.failure.hint}`)
        return
      case 'backup.deleted':
        return line(`Deleted ${event.backupId} from ${event.location}`)
      case 'run.finished':
        return clear()
      default:
    }
  }
}

function bar(stage: string, progress: Extract<RunEvent, { type: 'run.progress' }>, elapsedMs: number): string {
  const { bytes, totalBytes, documents } = progress
  const rate = elapsedMs > 0 ? `${formatBytes(Math.round(bytes / (elapsedMs / 1000)))}/s` : ''
  const counted = `${documents} documents  ${rate}  ${formatDuration(elapsedMs)}`
  if (totalBytes === undefined) return `${stage}  ${formatBytes(bytes)}  ${counted}`
  const share = Math.min(1, bytes / totalBytes)
  const filled = Math.round(share * BAR_WIDTH)
  const drawn = `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`
  return `${stage}  ${drawn} ${String(Math.round(share * 100)).padStart(3)}%  ${formatBytes(bytes)}  ${counted}`
}
