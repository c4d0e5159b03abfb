import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../agent/core/errors.ts'
import { Secret } from '../../agent/core/secret.ts'
import type { RunRequest } from '../../agent/runs/request.ts'
import { decodeRequest, encodeRequest } from '../../agent/runs/request.ts'
import { createRunId } from '../../agent/runs/run-id.ts'
import { testConfig, testPalette } from './test-config.ts'

const backup: RunRequest = { kind: 'backup', runId: 'abcdefg2', policy: 'nightly', config: testConfig() }

function thrownBy(task: () => unknown): Failure {
  try {
    task()
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown
  }
  throw new Error('no Failure was thrown')
}

describe('a run request', () => {
  it.each<RunRequest>([
    backup,
    { ...backup, deadRuns: ['aaaaaaaa', 'bbbbbbbb'] },
    { kind: 'catalog', runId: '22222222', config: testConfig() },
    { kind: 'validate', runId: 'zzzzzzzz', config: testConfig(), location: 'nas', permission: 'read' },
  ])('survives the pipe: $kind', (request) => {
    expect(decodeRequest(encodeRequest(request))).toEqual(request)
  })

  it('is one line, whatever a secret holds', () => {
    const uri = 'mongodb://u:p\n"\u2028{"$secret":1}@host'
    const config = testConfig({ palette: testPalette({ namespace: 'x', mongodb: { uri: new Secret(uri) } }) })
    const line = encodeRequest({ ...backup, config })
    expect(line).not.toContain('\n')
    expect(decodeRequest(line).config.palette.mongodb?.uri.reveal()).toBe(uri)
  })

  it('turns secrets back into secrets, which print nothing', () => {
    const decoded = decodeRequest(encodeRequest(backup))
    expect(inspect(decoded, { depth: 9 })).not.toContain('swordfish')
    expect(JSON.stringify(decoded)).not.toContain('swordfish')
    const [nas] = decoded.config.locations.filter((one) => one.storageProvider === 'ftp')
    expect(nas?.password.reveal()).toBe('swordfish')
  })

  it.each([
    ['nothing', ''],
    ['text', 'hello'],
    ['a JSON that is cut off', encodeRequest(backup).slice(0, -9)],
    ['another kind', encodeRequest(backup).replace('"backup"', '"shred"')],
    ['an unknown member', encodeRequest(backup).replace('{', '{"force":true,')],
    ['a run id that would climb out of a folder', encodeRequest(backup).replace('abcdefg2', '../../x2')],
    ['no configuration', JSON.stringify({ kind: 'catalog', runId: 'abcdefg2' })],
    ['a configuration of another shape', JSON.stringify({ kind: 'catalog', runId: 'abcdefg2', config: { digest: 1 } })],
    ['an array', '[]'],
    ['null', 'null'],
  ])('refuses %s and quotes nothing', (_, text) => {
    const failure = thrownBy(() => decodeRequest(text))
    expect(failure.code).toBe('config')
    expect(failure.message).toMatch(/^reading the request of a run: /)
    expect(inspect(failure, { depth: 9 })).not.toContain('swordfish')
  })
})

describe('a run id', () => {
  it('is eight characters of base32, another one each time', () => {
    const ids = Array.from({ length: 500 }, createRunId)
    for (const id of ids) expect(id).toMatch(/^[a-z2-7]{8}$/)
    expect(new Set(ids).size).toBe(500)
  })
})
