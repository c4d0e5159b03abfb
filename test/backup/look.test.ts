import { expect, it } from 'vitest'
import { readCatalog } from '../../agent/backup/catalog.ts'
import { lookAtNewest, MOST_LOOKS } from '../../agent/backup/look-at-newest.ts'
import { Failure } from '../../agent/core/errors.ts'
import { errorOf } from '../support/streams.ts'
import { NOW, never, PruneWorld, REF } from './prune-world.ts'

const options = { now: NOW, signal: never() }

async function world(...agesDays: number[]) {
  const made = new PruneWorld()
  const ids = await made.store(...agesDays)
  const look = async () => lookAtNewest(made.nas, REF, await readCatalog(made.nas, REF, options), options)
  const spoil = (index: number, text: string) =>
    made.nas.objects.set(`prod/nightly/${ids[index]}.manifest.json`, Buffer.from(text))
  return { ...made, nas: made.nas, ids, look, spoil }
}

it('looks at the newest alone where that is whole, and gives what its manifest says', async () => {
  const { nas, ids, look } = await world(1, 2, 3)
  const asked: string[] = []
  nas.fault = (operation, key) => void (operation === 'list' || asked.push(`${operation} ${key}`))
  expect(await look()).toMatchObject({ facts: { storedBytes: expect.any(Number) }, problems: [] })
  expect(asked).toEqual([`get prod/nightly/${ids[0]}.manifest.json`])
})

it('goes on to the newest that is whole, says what is wrong with the others, and takes back their proof', async () => {
  const { nas, ids, look, spoil } = await world(1, 2, 3, 4)
  spoil(0, '')
  spoil(1, '{"format_version": 2}')
  nas.objects.set(`prod/nightly/${ids[0]}.verified.json`, Buffer.from('{}'))
  nas.objects.delete(`prod/nightly/${ids[2]}/mongodb.archive.zst`)
  const { backups, facts, problems } = await look()
  expect(backups).toEqual([
    expect.objectContaining({ backupId: ids[0], damaged: true }),
    expect.objectContaining({ backupId: ids[1], unreadable: true }),
    expect.objectContaining({ backupId: ids[2], damaged: true }),
    expect.not.objectContaining({ damaged: true }),
  ])
  expect(backups[0]).not.toHaveProperty('verified')
  expect(facts).toBeDefined()
  expect(problems.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^backup .* in nas does not count as a good one: .* it is not JSON$/),
    expect.stringContaining('format version 2'),
    expect.stringContaining('is missing'),
  ])
})

it('passes over what is partial, and what bears a time that has not come', async () => {
  const { ids, look, nas } = await world(-2, 2, 3)
  const [, partial = ''] = ids
  const key = `prod/nightly/${partial}`
  nas.objects.set(`${key}.partial.json`, nas.objects.get(`${key}.manifest.json`) ?? Buffer.alloc(0))
  nas.objects.delete(`${key}.manifest.json`)
  const got: string[] = []
  nas.fault = (operation, object) => void (operation === 'get' && got.push(object))
  expect((await look()).facts).toBeDefined()
  expect(got).toEqual([`prod/nightly/${ids[2]}.manifest.json`])
})

it('ends where the location does not answer, and says nothing against a backup it may not read', async () => {
  const { nas, look } = await world(1)
  nas.fault = (operation) => {
    if (operation === 'get') throw new Failure('reading: no answer', { code: 'unreachable', retryable: true })
  }
  expect(await errorOf(look())).toMatchObject({ message: 'reading: no answer' })
  nas.fault = (operation) => {
    if (operation === 'get') throw new Failure('reading: denied', { code: 'permission' })
  }
  const { backups, facts, problems } = await look()
  expect(backups).toEqual([expect.not.objectContaining({ damaged: true })])
  expect([facts, problems]).toEqual([undefined, [expect.objectContaining({ message: 'reading: denied' })]])
})

it('takes nothing for a good one unseen behind very many that are not whole', async () => {
  const { ids, nas } = await world(1)
  nas.fault = (operation, key) => {
    if (operation === 'get') nas.objects.set(key, Buffer.from('?'))
  }
  const backups = Array.from({ length: MOST_LOOKS + 3 }, (_, index) => {
    const letters = [97 + (index % 26), 97 + Math.floor(index / 26)].map((code) => String.fromCharCode(code)).join('')
    const startedAt = new Date(NOW.getTime() - index * 1000).toISOString()
    const verified = index === MOST_LOOKS + 1
    return {
      backupId: `${ids[0]?.slice(0, -2)}${letters}`,
      startedAt,
      policy: 'nightly',
      location: 'nas',
      verified,
      complete: true,
    }
  })
  const looked = await lookAtNewest(nas, REF, backups, options)
  expect(looked.backups.filter(({ damaged }) => damaged)).toHaveLength(MOST_LOOKS)
  expect(looked.backups.slice(MOST_LOOKS)).toEqual([1, 2, 3].map(() => expect.objectContaining({ unreadable: true })))
  expect(looked.backups.filter(({ verified }) => verified)).toEqual([])
  expect(looked.problems.at(-1)?.message).toBe(`${MOST_LOOKS} complete backups of nightly in nas are not whole`)
})

it('passes over one that was deleted since it was listed, without a word', async () => {
  const { nas, ids, look } = await world(1, 2)
  nas.fault = (operation, key) => {
    if (operation === 'get' && key.includes(ids[0] ?? '-')) nas.objects.delete(key)
  }
  const { backups, facts, problems } = await look()
  expect([backups.map(({ backupId }) => backupId), problems]).toEqual([[ids[1]], []])
  expect(facts).toBeDefined()
})

it('calls nothing damaged that could not be read', async () => {
  const { nas, look, ids } = await world(1, 2)
  const broken = (code: 'damaged' | 'not_found') => (operation: string, key: string) => {
    if (operation === 'get' && key.includes(ids[0] ?? '-')) throw new Failure('reading: input/output error', { code })
  }
  nas.fault = broken('damaged')
  const { backups, facts } = await look()
  expect(backups[0]).toMatchObject({ backupId: ids[0], unreadable: true })
  expect([backups[0]?.damaged, facts]).toEqual([undefined, expect.anything()])
  nas.fault = broken('not_found')
  expect(await errorOf(look())).toMatchObject({ code: 'unavailable', retryable: true })
})
