import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import { openFtp } from '../../agent/locations/ftp/ftp-location.ts'
import type { LocationUnderTest } from '../conformance/location/subject.ts'
import { locationConformance } from '../conformance/location.ts'
import { errorOf } from '../support/streams.ts'
import { ftpPeerConfig } from './servers/ftp-peer.ts'
import type { FtpProgram } from './servers/ftp-peers.ts'
import { FTP_LACKS, FTP_MODES, FTP_PROGRAMS, startFtpPeer } from './servers/ftp-peers.ts'
import { peersMissing } from './servers/peer.ts'

const REFUSED_NAMES: Readonly<Record<FtpProgram, Readonly<Record<string, string>>>> = {
  vsftpd: {},
  proftpd: { '[brackets]*': 'it makes no directory with an asterisk in its name: 550 Invalid directory name' },
  'pure-ftpd': {},
  pyftpdlib: {},
}

describe.skipIf(peersMissing(...FTP_PROGRAMS)).each(FTP_PROGRAMS)('%s', (program) => {
  describe.each(FTP_MODES)('TLS %s', (tls) => {
    const lacking = FTP_LACKS[program][tls]
    if (lacking !== undefined) {
      it(`is refused with a reason: ${lacking}`, async () => {
        await using peer = await startFtpPeer(program, { tls: 'none' })
        const location = openFtp({ ...ftpPeerConfig(peer), tls }, { clock: systemClock, silenceMs: 10_000 })
        const failure = await errorOf(location.list('', { signal: new AbortController().signal }))
        expect(failure).toMatchObject({ code: 'unreachable', hint: expect.stringContaining('TLS') })
        await location.close()
      })
      return
    }
    const start = async (): Promise<LocationUnderTest> => {
      const peer = await startFtpPeer(program, { tls })
      return {
        location: openFtp(ftpPeerConfig(peer), { clock: systemClock, silenceMs: 10_000 }),
        cleanUp: () => peer.stop(),
        hidden: async () => (await readdir(peer.root, { recursive: true })).filter((name) => name.endsWith('.tmp')),
      }
    }
    // FTP has no pages; a long listing is read below.
    locationConformance(`${program}, TLS ${tls}`, start, { manyKeys: 60, refusedNames: REFUSED_NAMES[program] })
  })

  it('lists 12,000 keys whole', async () => {
    await using peer = await startFtpPeer(program, { tls: 'explicit' })
    const folder = join(peer.root, 'backups/prod/palette/many')
    await mkdir(folder, { recursive: true })
    const names = Array.from({ length: 12_000 }, (_, index) => String(index).padStart(5, '0'))
    for (const name of names) await writeFile(join(folder, name), 'x')
    const location = openFtp(ftpPeerConfig(peer), { clock: systemClock, silenceMs: 10_000 })
    const entries = await location.list('', { signal: new AbortController().signal })
    expect(entries.map(({ key }) => key)).toEqual(names.map((name) => `many/${name}`))
    await location.close()
  })
})
