import { posix } from 'node:path'

/** A file that may still be growing. */
export class FtpFile {
  readonly modified = new Date()
  #chunks: Buffer[]
  #size: number
  /** What the server says instead of its size. */
  claimedBytes: number | undefined

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.#chunks = [bytes]
    this.#size = bytes.length
  }

  get sizeBytes(): number {
    return this.claimedBytes ?? this.#size
  }

  get bytes(): Buffer {
    const whole = Buffer.concat(this.#chunks)
    this.#chunks = [whole]
    return whole
  }

  append(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
  }
}

/** Files and folders under absolute paths. */
export class Tree {
  readonly files = new Map<string, FtpFile>()
  readonly folders = new Set<string>(['/'])

  exists(path: string): boolean {
    return this.files.has(path) || this.folders.has(path)
  }

  hasParent(path: string): boolean {
    return this.folders.has(posix.dirname(path))
  }

  /** Names in the folder, as they come. */
  namesIn(folder: string): string[] {
    const paths = [...this.folders, ...this.files.keys()]
    return paths.filter((path) => path !== '/' && posix.dirname(path) === folder).map((path) => posix.basename(path))
  }
}
