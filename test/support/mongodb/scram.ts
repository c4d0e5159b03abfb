import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'

/** The server's side of SCRAM-SHA-256, without channel binding. RFC 5802 and RFC 7677. */
export interface ScramConversation {
  /** Takes the client's message, gives the server's; `done` after the one that proves the server. Throws a ScramFailure. */
  next(message: string): { readonly payload: string; readonly done: boolean }
}

export class ScramFailure extends Error {}

export interface Account {
  readonly username: string
  readonly password: string
}

// RFC 7677 asks for 4096 at least, drivers refuse less, and more only makes tests slow.
const ITERATIONS = 4096
const SALT = randomBytes(24)

export function scramConversation(account: Account): ScramConversation {
  const keys = serverKeys(account.password)
  let authenticated = ''
  let nonce = ''
  let step = 0
  return {
    next(message) {
      step += 1
      if (step === 1) {
        const bare = message.replace(/^[ny],(a=[^,]*)?,/, '')
        const { n: username, r: clientNonce } = attributes(bare)
        if (username === undefined || clientNonce === undefined) throw new ScramFailure('not a first message')
        if (unescapeName(username) !== account.username) throw new ScramFailure('unknown user')
        nonce = clientNonce + randomBytes(24).toString('base64')
        const payload = `r=${nonce},s=${SALT.toString('base64')},i=${ITERATIONS}`
        authenticated = `${bare},${payload}`
        return { payload, done: false }
      }
      const { r: repeated, p: proof } = attributes(message)
      if (step > 2 || repeated !== nonce || proof === undefined) throw new ScramFailure('not a final message')
      const signed = `${authenticated},${message.replace(/,p=[^,]*$/, '')}`
      if (!provesPassword(keys.storedKey, signed, Buffer.from(proof, 'base64')))
        throw new ScramFailure('wrong password')
      return { payload: `v=${hmac(keys.serverKey, signed).toString('base64')}`, done: true }
    },
  }
}

function provesPassword(storedKey: Buffer, signed: string, proof: Buffer): boolean {
  const signature = hmac(storedKey, signed)
  if (proof.length !== signature.length) return false
  const clientKey = Buffer.from(signature.map((byte, index) => byte ^ (proof[index] ?? 0)))
  return timingSafeEqual(createHash('sha256').update(clientKey).digest(), storedKey)
}

function serverKeys(password: string): { readonly storedKey: Buffer; readonly serverKey: Buffer } {
  const salted = pbkdf2Sync(password, SALT, ITERATIONS, 32, 'sha256')
  return {
    storedKey: createHash('sha256').update(hmac(salted, 'Client Key')).digest(),
    serverKey: hmac(salted, 'Server Key'),
  }
}

function attributes(message: string): Readonly<Record<string, string>> {
  return Object.fromEntries(message.split(',').map((part) => [part.slice(0, 1), part.slice(2)]))
}

function unescapeName(name: string): string {
  return name.replaceAll('=2C', ',').replaceAll('=3D', '=')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
