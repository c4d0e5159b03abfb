// Loaded with `node --import URL?file=PATH`: moves what the process takes for the time by the milliseconds in a file,
// read anew each time. Monotonic time goes on as it is, as when an administrator sets the clock of a running machine.
import { readFileSync } from 'node:fs'

const RealDate = Date
const file = new URL(import.meta.url).searchParams.get('file')
const now = () => RealDate.now() + Number(readFileSync(file, 'utf8'))

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(now())
    else super(...args)
  }

  static now() {
    return now()
  }
}
