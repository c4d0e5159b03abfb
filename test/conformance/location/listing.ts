import { expect, it } from 'vitest'
import type { ConformanceOptions, Subject } from './subject.ts'

const ODD_NAMES = [
  'a space',
  'ümlaut-雪',
  'plus+plus',
  '100%',
  'semi;colon',
  '-dash',
  '[brackets]*',
  "quote's",
  'tilde~',
  'a=b&c',
]

/** Listings are whole, in order, and of names as people and servers make them. */
export function listingCases(subject: Subject, options: ConformanceOptions): void {
  const { live, read, put, keys, failureOf } = subject

  it('lists below a folder at any depth, in order of keys, and no more than the folder', async () => {
    for (const key of ['tree/b', 'tree/a/2', 'tree/a/1', 'tree/a/deep/er', 'tree2/x', 'tre'])
      await put(key, Buffer.from(key))
    expect(await keys('tree/')).toEqual(['tree/a/1', 'tree/a/2', 'tree/a/deep/er', 'tree/b'])
    expect(await keys('tree/a/')).toEqual(['tree/a/1', 'tree/a/2', 'tree/a/deep/er'])
    const entry = (await subject.location.list('tree/', live()))[0]
    expect(entry?.sizeBytes).toBe(8)
  })

  it('lists what lies in a folder itself, when no more is wanted', async () => {
    for (const key of ['shallow/one', 'shallow/deep/two', 'shallow/three']) await put(key, Buffer.from(key))
    const entries = await subject.location.list('shallow/', { ...live(), shallow: true })
    expect(entries.map(({ key }) => key).filter((key) => !key.startsWith('shallow/deep/'))).toEqual([
      'shallow/one',
      'shallow/three',
    ])
  })

  it('lists what lies in those folders below that are wanted', async () => {
    for (const key of ['wanted/one', 'wanted/yes/two', 'wanted/no/three']) await put(key, Buffer.from(key))
    const enter = (folder: string) => folder === 'wanted/yes/'
    const entries = await subject.location.list('wanted/', { ...live(), enter })
    expect(entries.map(({ key }) => key).filter((key) => key !== 'wanted/no/three')).toEqual([
      'wanted/one',
      'wanted/yes/two',
    ])
  })

  it('lists names that begin with a dot', async () => {
    await put('dots/.runs/one.json', Buffer.from('{}'))
    expect(await keys('dots/')).toEqual(['dots/.runs/one.json'])
  })

  it('lists more than a page', async () => {
    const count = options.manyKeys ?? 1001
    const expected = Array.from({ length: count }, (_, index) => `many/${String(index).padStart(5, '0')}`)
    for (let at = 0; at < count; at += 20) {
      await Promise.all(expected.slice(at, at + 20).map((key) => put(key, Buffer.from('x'))))
    }
    expect(await keys('many/')).toEqual(expected)
  }, 120_000)

  it.each(ODD_NAMES)('keeps an object named %j apart', async (odd) => {
    const key = `odd/${odd}/${odd}.bin`
    if (options.refusedNames?.[odd])
      return expect(await failureOf(put(key, Buffer.from(odd)))).toMatchObject({ name: 'Failure' })
    await put(key, Buffer.from(odd))
    expect((await read(key)).toString()).toBe(odd)
    expect(await keys(`odd/${odd}/`)).toEqual([key])
    await subject.location.delete(key, live())
    expect(await subject.location.stat(key, live())).toBeUndefined()
  })

  it('lists while another deletes', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `shrinking/${index}`)
    for (const key of names) await put(key, Buffer.from('x'))
    const deleting = (async () => {
      for (const key of names) await subject.location.delete(key, live())
    })()
    for (let round = 0; round < 5; round += 1) expect((await keys('shrinking/')).length).toBeLessThanOrEqual(40)
    await deleting
    expect(await keys('shrinking/')).toEqual([])
  })
}
