import { posix } from 'node:path'
import type { Tree } from './tree.ts'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** As `ls -l` prints it, which is what most servers send. */
export function unixListing(tree: Tree, folder: string, options: { readonly all: boolean }): string {
  const names = ['.', '..', ...tree.namesIn(folder)].filter((name) => options.all || !name.startsWith('.'))
  const lines = names.map((name) => {
    const file = tree.files.get(posix.join(folder, name))
    const date = file?.modified ?? new Date()
    const two = (value: number): string => String(value).padStart(2, '0')
    const time = `${MONTHS[date.getUTCMonth()]} ${two(date.getUTCDate())} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`
    const mode = file ? '-rw-r--r--' : 'drwxr-xr-x'
    return `${mode}    1 1000     1000     ${String(file?.sizeBytes ?? 4096).padStart(8)} ${time} ${name}\r\n`
  })
  return lines.join('')
}

/** RFC 3659, section 7. */
export function machineListing(tree: Tree, folder: string): string {
  const lines = tree.namesIn(folder).map((name) => {
    const file = tree.files.get(posix.join(folder, name))
    const facts = file ? `type=file;size=${file.sizeBytes};modify=${machineTime(file.modified)}` : 'type=dir'
    return `${facts}; ${name}\r\n`
  })
  return ['type=cdir; .\r\n', 'type=pdir; ..\r\n', ...lines].join('')
}

/** `YYYYMMDDhhmmss`, UTC. */
export function machineTime(date: Date): string {
  return date.toISOString().replace(/[-:T]/g, '').slice(0, 14)
}
