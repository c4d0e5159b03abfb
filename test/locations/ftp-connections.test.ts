import { describe, expect, it } from 'vitest'
import { openDouble } from '../support/ftp/location.ts'
import { collect, streamOf } from '../support/streams.ts'
import { until } from '../support/until.ts'
import { certificate, fail, failureOf, ftp, live, location, RESET, reopen, start, useFtp } from './ftp-world.ts'

useFtp()

describe('FTP connections', () => {
  it('are used again, and closed in the end', async () => {
    await start()
    for (let round = 0; round < 5; round += 1) {
      await location.put(`key${round}`, streamOf(Buffer.from('x')), live())
      await collect(location.get(`key${round}`, live()))
      await location.list('', live())
      await location.delete(`key${round}`, live())
    }
    expect(ftp.count('USER')).toBe(1)
    expect(ftp.connections).toBe(1)
    await location.close()
    await until('the connection to end', 1000, async () => ftp.connections === 0, 5)
  })

  it('are made anew when the server ended the one that was kept', async () => {
    await start()
    await location.put('key', streamOf(Buffer.from('x')), live())
    fail('NOOP', RESET)
    await location.put('key', streamOf(Buffer.from('longer')), live())
    expect(ftp.files.get('/key')?.bytes.toString()).toBe('longer')
    expect(ftp.count('USER')).toBe(2)
  })

  it('are not used again after an error', async () => {
    await start()
    ftp.seed('/key', Buffer.from('x'))
    fail('RETR', { kind: 'answer', code: 451, text: 'Local error.' })
    await failureOf(collect(location.get('key', live())))
    await collect(location.get('key', live()))
    expect(ftp.count('USER')).toBe(2)
  })

  it('go to the server itself, whatever address it gives', async () => {
    await start({ epsv: false, passiveAddress: '192.0.2.1' })
    await location.put('key', streamOf(Buffer.from('x')), live())
    expect((await collect(location.get('key', live()))).toString()).toBe('x')
    expect(ftp.count('EPSV')).toBe(1)
  })

  it.each(['220', 'AUTH', 'USER', 'PASS', 'TYPE', 'CWD', 'PWD', 'EPSV', 'STOR', 'SIZE', 'RNFR', 'RNTO'])(
    'are given up at once by an abort while %s is not answered',
    async (command) => {
      const options = { tls: certificate, ...(command === '220' ? { silent: true } : {}) }
      await start(options, 30_000)
      // Only the first: what cleans up afterwards is answered.
      fail(command, { kind: 'stall' })
      const controller = new AbortController()
      const putting = failureOf(location.put('key', streamOf(Buffer.from('x')), { signal: controller.signal }))
      if (command === '220') await until('a connection', 1000, async () => ftp.connections === 1, 5)
      else await until(`${command} to arrive`, 1000, async () => ftp.count(command) > 0, 5)
      const began = performance.now()
      controller.abort()
      expect(await putting).toMatchObject({ code: 'cancelled' })
      expect(performance.now() - began).toBeLessThan(1000)
      expect([...ftp.files.keys()]).toEqual([])
    },
  )

  it.each(['AUTH', 'PASS', 'CWD', 'PWD', 'FEAT', 'EPSV', 'MLSD'])(
    'are given up after a time when %s is not answered',
    async (command) => {
      await start({ tls: certificate })
      fail(command, { kind: 'stall' })
      expect(await failureOf(location.list('', live()))).toMatchObject({ code: 'unreachable', retryable: true })
    },
  )

  it('enter and make the directory as it is written', async () => {
    await start()
    for (const directory of ['/srv/backups/', 'srv/backups', '//srv//backups', '/srv']) {
      const other = openDouble(ftp, { directory, folder: 'prod' })
      await other.put('key', streamOf(Buffer.from(directory)), live())
      expect(await other.list('', live())).toMatchObject([{ key: 'key', sizeBytes: directory.length }])
      await other.close()
    }
    expect([...ftp.files.keys()]).toEqual(['/srv/backups/prod/key', '/srv/prod/key'])
  })

  it('say why the directory cannot be made', async () => {
    await start()
    await reopen({ directory: '/denied' })
    fail('MKD', { kind: 'answer', code: 550, text: 'Permission denied.' })
    expect(await failureOf(location.list('', live()))).toMatchObject({
      code: 'permission',
      message:
        'listing everything in nas: the directory /denied cannot be entered or made: the server answered 550 Permission denied.',
      hint: expect.stringContaining('directory'),
    })
  })
})
