import { describe, expect, it } from 'vitest'
import { parseMachineListing, parsePlainListing } from '../../agent/locations/ftp/listing.ts'

const UNIX = [
  'total 24',
  'drwxr-xr-x    3 1000     1000         4096 Nov 24 14:58 .',
  'drwxr-xr-x    6 1000     1000         4096 Nov 24 14:58 ..',
  'drwxr-xr-x    2 1000     1000         4096 Nov 24 14:58 .runs',
  '-rw-r--r--    1 1000     1000     33554432 Nov 24 14:58 total of it.bin',
  '-rw-r--r--    1 backup   users           7 Jan 01  2024  leading',
  'lrwxrwxrwx    1 1000     1000           11 Nov 24 14:58 link -> /etc/passwd',
  'prw-r--r--    1 1000     1000            0 Nov 24 14:58 pipe',
]

describe('listings of FTP servers', () => {
  it('reads what ls prints, links and pipes left out', () => {
    expect(parsePlainListing(lines(UNIX))).toEqual([
      { name: '.runs', kind: 'folder', sizeBytes: 0 },
      { name: 'total of it.bin', kind: 'file', sizeBytes: 33554432 },
      { name: ' leading', kind: 'file', sizeBytes: 7 },
    ])
  })

  it('reads what IIS prints', () => {
    const text = lines([
      '11-24-26  02:58PM       <DIR>          nightly',
      '11-24-26  02:58PM                   12 a b.json',
    ])
    expect(parsePlainListing(text)).toMatchObject([
      { name: 'nightly', kind: 'folder' },
      { name: 'a b.json', kind: 'file', sizeBytes: 12 },
    ])
  })

  it('reads MLSD, with facts in any order and any case', () => {
    const text = lines([
      'type=cdir;sizd=4096;modify=20261124145800;UNIX.mode=0755; .',
      'Modify=20261124145801.123;Size=42;Type=file; a; b=c; d',
      'type=dir;UNIX.ownername=domain users;  leading',
      'type=OS.unix=slink:/etc/passwd;size=11; link',
      'type=file;size=0; =;=',
    ])
    expect(parseMachineListing(text)).toEqual([
      { name: 'a; b=c; d', kind: 'file', sizeBytes: 42, modified: new Date('2026-11-24T14:58:01Z') },
      { name: ' leading', kind: 'folder', sizeBytes: 0 },
      { name: '=;=', kind: 'file', sizeBytes: 0 },
    ])
  })

  it.each(['nonsense', 'type=file;modify=20261124145800; no size', 'size=12; no type', 'type=file;size=-1; negative'])(
    'never passes over a line of MLSD that it cannot read: %j',
    (line) => {
      expect(() => parseMachineListing(lines(['type=file;size=1; fine', line]))).toThrow(/cannot be read/)
    },
  )

  it.each(['nonsense', 'file1.txt', '-rw-r--r--    1 1000'])(
    'never passes over a line of LIST that it cannot read: %j',
    (line) => {
      expect(() => parsePlainListing(lines([line, ...UNIX]))).toThrow(/cannot be read/)
      expect(() => parsePlainListing(lines([...UNIX, line]))).toThrow(/cannot be read/)
    },
  )

  it('rejects a listing that was cut in a line', () => {
    expect(() => parsePlainListing(lines(UNIX).slice(0, -10))).toThrow(/middle of a line/)
    expect(() => parseMachineListing('type=file;size=1; whole\r\ntype=file;size=1; ha')).toThrow(/middle of a line/)
  })

  it('takes nothing for an empty folder', () => {
    expect(parsePlainListing('')).toEqual([])
    expect(parseMachineListing('')).toEqual([])
  })
})

function lines(of: readonly string[]): string {
  return of.map((line) => `${line}\r\n`).join('')
}
