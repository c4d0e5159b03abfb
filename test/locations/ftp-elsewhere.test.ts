import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import type { FtpLocationConfig } from '../../agent/config/config.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { Secret } from '../../agent/core/secret.ts'
import { type FtpLocationOptions, openFtp } from '../../agent/locations/ftp/ftp-location.ts'
import { FakeClock } from '../support/fake-clock.ts'

let server: Server | undefined
afterEach(() => server?.close())

describe('where no FTP server is', () => {
  it('says at once what answers instead', async () => {
    const location = await locationAt((write) => write('SSH-2.0-OpenSSH_9.2\r\n'), 30_000)
    const startMs = performance.now()
    await expect(location.list('', { signal: AbortSignal.timeout(20_000) })).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('no FTP server: it says "SSH-2.0-OpenSSH_9.2"'),
      hint: expect.stringContaining('SSH'),
    })
    expect(performance.now() - startMs).toBeLessThan(5000)
  })

  it('names the likely mistakes when nothing is said', async () => {
    const location = await locationAt(() => undefined, 300)
    await expect(location.list('', { signal: AbortSignal.timeout(20_000) })).rejects.toMatchObject({
      code: 'unreachable',
      hint: expect.stringContaining('implicit TLS'),
    })
  })

  it('waits for a greeting no longer than 20 seconds, however patient it is otherwise', async () => {
    const clock = new FakeClock()
    const location = await locationAt(() => undefined, 60_000, { clock })
    const listed = location.list('', { signal: AbortSignal.timeout(20_000) }).catch((thrown: unknown) => thrown)
    await expect.poll(() => clock.sleepers).toBeGreaterThan(0)
    await clock.advance(19_999)
    expect(await Promise.race([listed, sleep(50, 'waits')])).toBe('waits')
    await clock.advance(1)
    expect(await listed).toMatchObject({ code: 'unreachable', hint: expect.stringContaining('implicit TLS') })
  })
})

async function locationAt(
  greet: (write: (text: string) => void) => void,
  silenceMs: number,
  options: Partial<FtpLocationOptions> = {},
) {
  server = createServer((socket) => {
    socket.on('error', () => undefined)
    greet((text) => void socket.write(text))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const config: FtpLocationConfig = {
    ...{ name: 'nas', storageProvider: 'ftp', folder: '', validate: true, host: '127.0.0.1', directory: '' },
    port: (server.address() as AddressInfo).port,
    ...{ username: 'u', password: new Secret('p'), tls: 'none' },
  }
  return openFtp(config, { clock: systemClock, silenceMs, ...options })
}
