import { recycle } from '../core/buffer-pool.ts'
import { Failure } from '../core/errors.ts'
import { MIB } from '../core/units.ts'

export interface Frame {
  readonly bytes: Uint8Array
  /** Absent where the frame does not tell; then it holds at most `LARGEST_CONTENT`. */
  readonly contentBytes?: number
  /** Where the frame begins in the packed stream. */
  readonly offset: number
}

const MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
const LONGEST_HEADER = 18
const GATHERED_BYTES = MIB
/** What one frame may hold, packed or not: memory is bounded by it. Frames of this program hold 2 MiB. */
export const LARGEST_CONTENT = 64 * MIB
const LARGEST_FRAME = LARGEST_CONTENT

/**
 * Cuts a zstd stream into its frames without unpacking them (RFC 8878, sections 3.1.1 and 3.1.2): Node's decoder stops
 * after the first frame, and frames that are known apart can be unpacked side by side.
 * Rejects with code `damaged`, naming the offset, when a frame is malformed or cut short.
 */
export async function* zstdFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  let pending: Uint8Array = new Uint8Array(0)
  let offset = 0
  for await (const chunk of gathered(source)) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    for (;;) {
      const extent = frameExtent(pending, offset)
      if (!extent || extent.length > pending.length) break
      const { contentBytes } = extent
      if (!extent.skippable) {
        yield {
          bytes: pending.subarray(0, extent.length),
          offset,
          ...(contentBytes === undefined ? {} : { contentBytes }),
        }
      }
      pending = pending.subarray(extent.length)
      offset += extent.length
    }
  }
  if (pending.length > 0) {
    throw damaged(offset, `it ends in the middle of a frame, ${pending.length} bytes after the frame began`)
  }
}

/** Network-sized chunks joined to about a frame: joining each one to what is pending would copy a frame many times. */
async function* gathered(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of source) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes < GATHERED_BYTES) continue
    const joined = Buffer.concat(chunks, bytes)
    for (const used of chunks) recycle(used)
    yield joined
    chunks = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(chunks, bytes)
}

interface Extent {
  readonly length: number
  readonly contentBytes?: number | undefined
  /** Has no content. */
  readonly skippable?: boolean
}

/** How long the frame at the start of `bytes` is; undefined while too little of it is there to know. */
function frameExtent(bytes: Uint8Array, offset: number): Extent | undefined {
  if (bytes.length < 8) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const magic = view.getUint32(0, true)
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
    return bounded({ length: 8 + view.getUint32(4, true), skippable: true }, offset)
  }
  if (magic !== MAGIC) throw damaged(offset, 'there is no zstd frame')
  if (bytes.length < LONGEST_HEADER && bytes.length < headerLength(view.getUint8(4))) return undefined
  const header = readHeader(view, offset)
  let at = header.length
  for (;;) {
    if (bytes.length < at + 3) return bytes.length > LARGEST_FRAME ? bounded({ length: at }, offset) : undefined
    const block = view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
    const type = (block >> 1) & 3
    if (type === 3) throw damaged(offset, 'a block has the reserved type')
    at += 3 + (type === 1 ? 1 : block >>> 3)
    bounded({ length: at }, offset)
    if (block & 1) break
  }
  return { length: at + (header.checksum ? 4 : 0), contentBytes: header.contentBytes }
}

function headerLength(descriptor: number): number {
  const singleSegment = (descriptor & 0x20) !== 0
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0
  const sizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0
  return 5 + (singleSegment ? 0 : 1) + dictionaryBytes + sizeBytes
}

function readHeader(
  view: DataView,
  offset: number,
): { length: number; contentBytes: number | undefined; checksum: boolean } {
  const descriptor = view.getUint8(4)
  const length = headerLength(descriptor)
  if (descriptor & 0x08) throw damaged(offset, 'the frame header has its reserved bit set')
  const flag = descriptor >> 6
  const singleSegment = (descriptor & 0x20) !== 0
  const sizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][flag] ?? 0
  const checksum = (descriptor & 0x04) !== 0
  if (sizeBytes === 0) return { length, contentBytes: undefined, checksum }
  const at = length - sizeBytes
  const contentBytes =
    sizeBytes === 1
      ? view.getUint8(at)
      : sizeBytes === 2
        ? view.getUint16(at, true) + 256
        : sizeBytes === 4
          ? view.getUint32(at, true)
          : Number(view.getBigUint64(at, true))
  if (contentBytes > LARGEST_FRAME) throw tooLarge(offset)
  return { length, contentBytes, checksum }
}

function bounded(extent: Extent, offset: number): Extent {
  if (extent.length > LARGEST_FRAME) throw tooLarge(offset)
  return extent
}

function tooLarge(offset: number): Failure {
  return new Failure(`zstd frame at byte ${offset}: larger than ${LARGEST_FRAME / MIB} MiB`, {
    code: 'unsupported',
    hint: 'Artifacts of this program consist of frames of 2 MiB; unpack others with the zstd command line tool.',
  })
}

function damaged(offset: number, why: string): Failure {
  return new Failure(`zstd stream at byte ${offset}: ${why}`, { code: 'damaged' })
}
