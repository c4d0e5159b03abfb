/**
 * A digest of a set of documents that does not depend on their order: the sum modulo 2^128 of the SipHash-1-3-128 of
 * each document's bytes, with the key 00 01 .. 0f. Backup and restore read a collection in different orders; a lost, added,
 * doubled or changed document changes the sum. docs/decisions/0004 says why this one.
 *
 * It runs over every byte that is read and restored, so the loop is WebAssembly; its text stands in document-digest.wat
 * and a test compares the two.
 */
export class DocumentDigest {
  readonly #state = new Uint8Array(STATE_BYTES)

  /** Takes the bytes of whole documents one after another, cut anywhere. Each must begin with its true length. */
  update(bytes: Uint8Array): void {
    state.set(this.#state)
    for (let start = 0; start < bytes.length; start += WINDOW_BYTES) {
      const part = bytes.subarray(start, start + WINDOW_BYTES)
      window.set(part)
      engine.update(part.length)
    }
    this.#state.set(state)
  }

  /**
   * The sum over the documents that are complete: `sip128:` and its 16 bytes in hexadecimal, lowest first. Of a single
   * document that is what `openssl mac -macopt hexkey:000102030405060708090a0b0c0d0e0f -macopt size:16
   * -macopt c-rounds:1 -macopt d-rounds:3 SIPHASH` prints.
   */
  digest(): string {
    return `sip128:${Buffer.from(this.#state.subarray(SUM_OFFSET, SUM_OFFSET + 16)).toString('hex')}`
  }
}

export const DIGEST_WASM_BASE64 =
  'AGFzbQEAAAABEQJgBX5+fn5/BH5+fn5gAX8AAwMCAAEFAwEAEQcTAgZtZW1vcnkCAAZ1cGRhdGUAAQqFBwJmAANAIAAgAXwhACACIAN8IQIgAUINiS' +
  'AAhSEBIANCEIkgAoUhAyAAQiCJIAN8IQAgAiABfCECIANCFYkgAIUhAyABQhGJIAKFIQEgAkIgiSECIARBAWshBCAEDQALIAAgASACIAMLmwYCBn4G' +
  'f0GACCEHQYAIIABqIQhBACkDACEBQQgpAwAhAkEQKQMAIQNBGCkDACEEQTApAwAhBUE4KAIAIQpBPCgCACELAkADQCAHIAhPDQEgCkUEQEL1yMWbl4' +
  'zatPQAIQFC5cy5q9bt37DrACECQuHmneuWzNi/6wAhA0L72PmT563atfsAIQQgAkLuAYUhAkIAIQVBACELCyALRQRAIApFIAggB2tBBE9xBEAgBygC' +
  'ACELBSAFIAcxAAAgCkEDdK2GhCEFIAdBAWohByAKQQFqIQogCkEESQ0CIAWnIQsLIAtBBUgEQAALCwJAA0AgCkEHcUUNASAKIAtGDQEgByAITw0DIA' +
  'UgBzEAACAKQQdxQQN0rYaEIQUgB0EBaiEHIApBAWohCiAKQQdxDQAgASACIAMgBCAFhUEBEAAhBCEDIQIgBYUhAUIAIQULCyALIAprIQwgCkEHcUUE' +
  'QCAIIAdrIQkgDCAJSQRAIAwhCQsgCUF4cSEJIAogCWohCiAHIAlqIQkCQANAIAcgCU8NASAHKQMAIQYgBCAGhSEEIAEgAnwhASADIAR8IQMgAkINiS' +
  'ABhSECIARCEIkgA4UhBCABQiCJIAR8IQEgAyACfCEDIARCFYkgAYUhBCACQhGJIAOFIQIgA0IgiSEDIAEgBoUhASAHQQhqIQcMAAsLIAsgCmshDCAM' +
  'QQBHIAcgCE9xDQIgDCAIIAdrSwRAIAcxAAAhBSAHQQFqIQcgCkEBaiEKDAILIAcpAwBCASAMQQN0rYZCAX2DIQUgByAMaiEHCyAFIAutQjiGhCEFIA' +
  'EgAiADIAQgBYVBARAAIQQhAyECIAWFIQEgASACIANC7gGFIARBAxAAIQQhAyECIQEgASAChSADIASFhSEGIAEgAkLdAYUgAyAEQQMQACEEIQMhAiEB' +
  'QSBBICkDACAGfDcDAEEoQSgpAwBBICkDACAGVK18IAEgAoUgAyAEhYV8NwMAQQAhCkEAIQsMAAsLQQAgATcDAEEIIAI3AwBBECADNwMAQRggBDcDAE' +
  'EwIAU3AwBBOCAKNgIAQTwgCzYCAAs='

const STATE_BYTES = 64
const SUM_OFFSET = 32
const WINDOW_OFFSET = 1024
const WINDOW_BYTES = 1024 * 1024

// The type library of WebAssembly comes with that of browsers, which nothing here should see.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: unknown }
}

interface Engine {
  readonly memory: { readonly buffer: ArrayBuffer }
  update(length: number): void
}

const engine = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(DIGEST_WASM_BASE64, 'base64')))
  .exports as Engine
const state = new Uint8Array(engine.memory.buffer, 0, STATE_BYTES)
const window = new Uint8Array(engine.memory.buffer, WINDOW_OFFSET, WINDOW_BYTES)
