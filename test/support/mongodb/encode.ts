import { BSON, Double, type Timestamp } from 'mongodb'

/** Fields of a document to be encoded. A Buffer is a whole BSON document that is taken as it is; `undefined` is left out. */
export type Fields = { readonly [name: string]: unknown }

/** Encodes a reply; unlike the BSON library it can put stored bytes into the middle of a document. */
export function encode(fields: Fields): Buffer {
  const parts: Buffer[] = []
  let length = 5
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue
    const part = encodeElement(name, value)
    parts.push(part)
    length += part.length
  }
  const start = Buffer.allocUnsafe(4)
  start.writeInt32LE(length)
  return Buffer.concat([start, ...parts, Buffer.of(0)], length)
}

/** What ends every reply; a real server's `ok` is a double. */
export function replyEnd(clusterTime: Timestamp | undefined): Fields {
  if (!clusterTime) return { ok: new Double(1) }
  return { ok: new Double(1), ...gossip(clusterTime) }
}

/**
 * `$clusterTime` and `operationTime` stand in every reply of a replica set; drivers send the former back.
 * The signature is the one of a deployment without keys: twenty zeros and key 0.
 * MongoDB manual, Database Commands, "Response".
 */
function gossip(clusterTime: Timestamp): Fields {
  return {
    $clusterTime: {
      clusterTime,
      signature: { hash: new BSON.Binary(Buffer.alloc(20)), keyId: 0n },
    },
    operationTime: clusterTime,
  }
}

function encodeElement(name: string, value: unknown): Buffer {
  if (Buffer.isBuffer(value)) return Buffer.concat([elementStart(0x03, name), value])
  if (Array.isArray(value)) return Buffer.concat([elementStart(0x04, name), encode({ ...value })])
  if (isPlainObject(value)) return Buffer.concat([elementStart(0x03, name), encode(value)])
  return Buffer.from(BSON.serialize({ [name]: value }).subarray(4, -1))
}

function elementStart(type: number, name: string): Buffer {
  return Buffer.concat([Buffer.of(type), Buffer.from(name), Buffer.of(0)])
}

function isPlainObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
