import { endChild, startChild } from './child.ts'
import { freePort } from './free-port.ts'
import { peerBinary } from './peer.ts'

/** A fault of the network: https://github.com/Shopify/toxiproxy#toxics */
export interface Toxic {
  readonly type: 'latency' | 'bandwidth' | 'slow_close' | 'timeout' | 'reset_peer' | 'slicer' | 'limit_data'
  /** `upstream`: on the way to the server. */
  readonly stream: 'upstream' | 'downstream'
  readonly attributes: Readonly<Record<string, number>>
}

export interface Toxiproxy {
  /** What leads to the server. */
  readonly url: string
  /** Resolves with what takes the fault away again; connections that are open are hit too. */
  add(toxic: Toxic): Promise<() => Promise<void>>
  stop(): Promise<void>
}

/** A network between a client and a server on the loopback address, with faults on demand. */
export async function startToxiproxy(serverUrl: string): Promise<Toxiproxy> {
  const [control, port] = [await freePort(), await freePort()]
  const args = ['-host', '127.0.0.1', '-port', String(control)]
  const child = await startChild(peerBinary('toxiproxy'), { args, port: control })
  const call = async (method: string, path: string, body?: object): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${control}${path}`, {
      method,
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
  }
  const upstream = new URL(serverUrl).host
  await call('POST', '/proxies', { name: 'peer', listen: `127.0.0.1:${port}`, upstream, enabled: true })
  let added = 0
  return {
    url: `http://127.0.0.1:${port}`,
    async add(toxic) {
      added += 1
      const name = `toxic-${added}`
      await call('POST', '/proxies/peer/toxics', { ...toxic, name, toxicity: 1 })
      return () => call('DELETE', `/proxies/peer/toxics/${name}`)
    },
    stop: () => endChild(child),
  }
}
