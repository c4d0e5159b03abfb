import { KIB, MIB } from '../../../core/units.ts'
import { fillTables, TABLES } from './crc64-tables.ts'
import { CRC64_WASM_BASE64, DIGEST_WASM_BASE64, GATHER_WASM_BASE64 } from './wasm-code.ts'

/** Where things lie in every memory: the tables and the workplace of the checksum, the state of a digest, and then room for documents. */
const STATE_AT = 32 * KIB
export const STATE_BYTES = 64
const ROOM_AT = 33 * KIB
/** The digest reads whole words and so up to this much behind the last document. */
const BEHIND_BYTES = 8
const PAGE_BYTES = 64 * KIB

// The type library of WebAssembly comes with that of browsers, which nothing here should see.
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number }) => Memory
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown }
}
interface Memory {
  readonly buffer: ArrayBuffer
  grow(pages: number): number
}
interface Engines {
  crc64(crc: bigint, at: number, bytes: number): bigint
  digest(stateAt: number, at: number, bytes: number): void
  gather(at: number, end: number): readonly [bytes: number, count: number]
}

/** Documents one behind the other. */
export interface Gathered {
  readonly run: Buffer
  readonly count: number
}

const modules = [CRC64_WASM_BASE64, DIGEST_WASM_BASE64, GATHER_WASM_BASE64].map(
  (code) => new WebAssembly.Module(Buffer.from(code, 'base64')),
)
const memoryOf = new WeakMap<ArrayBufferLike, DocumentMemory>()

/**
 * Memory in which runs of documents are gathered, checked and digested where they lie. What runs over every byte that is
 * read and restored is WebAssembly, and that sees nothing but its own memory: bytes that are somewhere else have to be
 * copied there first. So replies of the server are read into such a memory at once.
 */
export class DocumentMemory {
  readonly #memory: Memory
  readonly #engines: Engines
  #room: Buffer

  /** `bytes`: room for documents at first. */
  constructor(bytes: number) {
    this.#memory = new WebAssembly.Memory({ initial: pagesFor(bytes) })
    const imports = { host: { memory: this.#memory } }
    this.#engines = Object.assign({}, ...modules.map((code) => new WebAssembly.Instance(code, imports).exports))
    fillTables(new BigUint64Array(this.#memory.buffer, 0, TABLES))
    this.#room = this.#viewed()
  }

  /** Views of it end when it is made larger. */
  get room(): Buffer {
    return this.#room
  }

  /** Makes the room larger; what is in it stays. */
  reserve(bytes: number): void {
    if (bytes <= this.#room.length) return
    this.#memory.grow(pagesFor(bytes) - this.#memory.buffer.byteLength / PAGE_BYTES)
    this.#room = this.#viewed()
  }

  /** Goes on with a checksum over bytes that lie in this memory. */
  crc64(crc: bigint, { byteOffset, length }: Uint8Array): bigint {
    return this.#engines.crc64(crc, byteOffset, length)
  }

  /** Goes on with the digest whose state is given, and changes that. */
  digest(state: Uint8Array, { byteOffset, length }: Uint8Array): void {
    const inside = new Uint8Array(this.#memory.buffer, STATE_AT, STATE_BYTES)
    inside.set(state)
    this.#engines.digest(STATE_AT, byteOffset, length)
    state.set(inside)
  }

  /** Moves the documents of a BSON array together; undefined where it holds something else than whole documents. */
  gather(array: Buffer): Gathered | undefined {
    const [bytes, count] = this.#engines.gather(array.byteOffset + 4, array.byteOffset + array.length - 1)
    return bytes < 0 ? undefined : { run: array.subarray(4, 4 + bytes), count }
  }

  #viewed(): Buffer {
    const { buffer } = this.#memory
    memoryOf.set(buffer, this)
    return Buffer.from(buffer, ROOM_AT, buffer.byteLength - ROOM_AT - BEHIND_BYTES)
  }
}

/** Where bytes are brought that lie elsewhere. */
let shared: DocumentMemory | undefined

/** Hands the bytes on in parts that lie in a memory. */
export function inMemory(bytes: Uint8Array, use: (memory: DocumentMemory, part: Uint8Array) => void): void {
  const holding = memoryOf.get(bytes.buffer)
  if (holding) {
    use(holding, bytes)
    return
  }
  shared ??= new DocumentMemory(MIB)
  const { room } = shared
  for (let start = 0; start < bytes.length; start += room.length) {
    const length = Math.min(room.length, bytes.length - start)
    room.set(bytes.subarray(start, start + length))
    use(shared, room.subarray(0, length))
  }
}

/**
 * Moves the documents of a BSON array together, which has to lie in a memory of this kind; undefined where it holds
 * something else than whole documents.
 */
export function gather(array: Buffer): Gathered | undefined {
  const holding = memoryOf.get(array.buffer)
  if (!holding) throw new Error('documents are gathered that lie in no memory for documents')
  return holding.gather(array)
}

function pagesFor(bytes: number): number {
  return Math.ceil((ROOM_AT + bytes + BEHIND_BYTES) / PAGE_BYTES)
}
