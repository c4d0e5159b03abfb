import { Failure } from '../../core/errors.ts'

/** POSIX.1-2017, pax interchange format: headers and contents in blocks, two blocks of zeros at the end. */
const BLOCK = 512
/** The API server takes no object above a few MiB; more is no file of this program. */
const LARGEST_FILE = 64 * 1024 * 1024

export interface TarFile {
  readonly path: string
  readonly content: Buffer
}

/** One file of the archive, from header to padding. Owner, mode and time are always the same: equal files, equal bytes. */
export function tarFile({ path, content }: TarFile): Buffer {
  const long = Buffer.byteLength(path) > 100
  const record = long ? paxRecord('path', path) : undefined
  return Buffer.concat([
    ...(record ? [header('pax', record.length, 'x'), padded(record)] : []),
    header(long ? path.slice(-90) : path, content.length, '0'),
    padded(content),
  ])
}

export const TAR_END = Buffer.alloc(2 * BLOCK)

function header(path: string, size: number, type: '0' | 'x'): Buffer {
  const block = Buffer.alloc(BLOCK)
  block.write(path, 0, 100)
  block.write('0000600\0', 100)
  block.write('0000000\0', 108)
  block.write('0000000\0', 116)
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  block.write('00000000000\0', 136)
  block.write(' '.repeat(8), 148)
  block.write(type, 156)
  block.write('ustar\x0000', 257)
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** The sum of all bytes, those of the checksum itself counted as spaces. */
function checksum(block: Buffer): number {
  let sum = 0
  for (let index = 0; index < BLOCK; index += 1) sum += index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0)
  return sum
}

/** `LENGTH key=value\n`, the length counting itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`)
  let length = rest + String(rest).length
  if (rest + String(length).length !== length) length = rest + String(length).length
  return Buffer.from(`${length} ${key}=${value}\n`)
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)])
}

/** The files of an archive one after another; `damaged` for anything that is not whole. */
export async function* readTar(body: AsyncIterable<Uint8Array>): AsyncGenerator<TarFile> {
  const input = new Input(body)
  let path: string | undefined
  for (;;) {
    const block = await input.take(BLOCK)
    if (block.every((byte) => byte === 0)) {
      const last = await input.take(BLOCK)
      if (last.every((byte) => byte === 0) && (await input.isAtEnd())) return
      throw damaged('something stands behind its end')
    }
    if (octal(block, 148, 8) !== checksum(block)) throw damaged('a header has another checksum')
    const size = octal(block, 124, 12)
    if (size > LARGEST_FILE) throw damaged(`a file of ${size} bytes`)
    const content = await input.take(size)
    await input.take((BLOCK - (size % BLOCK)) % BLOCK)
    const type = String.fromCharCode(block[156] ?? 0)
    if (type === 'x') path = pathIn(content)
    else if (type === '0') {
      yield { path: path ?? text(block, 0, 100), content }
      path = undefined
    } else throw damaged(`an entry of type ${JSON.stringify(type)}`)
  }
}

class Input {
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array()

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#chunks = body[Symbol.asyncIterator]()
  }

  async take(size: number): Promise<Buffer> {
    const parts: Uint8Array[] = []
    let missing = size
    while (missing > 0) {
      if (this.#rest.length === 0 && !(await this.#next())) throw damaged('it ends too early')
      const part = this.#rest.subarray(0, missing)
      parts.push(part)
      this.#rest = this.#rest.subarray(part.length)
      missing -= part.length
    }
    return Buffer.concat(parts)
  }

  async isAtEnd(): Promise<boolean> {
    while (this.#rest.length === 0) if (!(await this.#next())) return true
    return false
  }

  async #next(): Promise<boolean> {
    const { done, value } = await this.#chunks.next()
    if (done) return false
    this.#rest = value
    return true
  }
}

function octal(block: Buffer, offset: number, length: number): number {
  const digits = text(block, offset, length).trim()
  if (!/^[0-7]+$/.test(digits)) throw damaged('a header holds something else than a number')
  return Number.parseInt(digits, 8)
}

function text(block: Buffer, offset: number, length: number): string {
  const field = block.subarray(offset, offset + length)
  const end = field.indexOf(0)
  return field.subarray(0, end < 0 ? length : end).toString('utf8')
}

function pathIn(records: Buffer): string {
  const path = /^\d+ path=(.*)\n$/s.exec(records.toString('utf8'))?.[1]
  if (path === undefined) throw damaged('an extended header without a path')
  return path
}

function damaged(what: string): Failure {
  return new Failure(`reading the archive of Kubernetes objects: ${what}`, { code: 'damaged' })
}
