import { writeFileSync } from 'node:fs'
import { FTPContext } from 'basic-ftp'

/**
 * Loaded into a process before all else: right before the first FTP command that matches, or before the one that comes
 * behind it, sends nothing any more, on any connection, and writes a file that says so. Works inside TLS, where no proxy
 * sees a command. `HOLD_FTP` is `before` or `behind`, a pattern, and the file, as JSON.
 */
const [when, pattern, mark] = JSON.parse(process.env['HOLD_FTP'] ?? '[]')
const command = new RegExp(pattern)
let state: 'waiting' | 'met' | 'held' = 'waiting'
const { send } = FTPContext.prototype

FTPContext.prototype.send = function (line) {
  const isHit = state === 'waiting' && command.test(line)
  if (state === 'met' || (isHit && when === 'before')) {
    state = 'held'
    writeFileSync(mark, '')
  }
  if (state === 'held') return
  if (isHit) state = 'met'
  send.call(this, line)
}
