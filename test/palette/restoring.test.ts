import { describe, expect, it } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import { Secret } from '../../agent/core/secret.ts'
import { AgentUpgrades } from '../../agent/palette/agent-upgrades.ts'
import { leftByHand } from '../../agent/palette/left-by-hand.ts'
import { preflight } from '../../agent/palette/preflight.ts'
import { type PaletteApi, startPaletteApi } from '../support/palette-api.ts'
import { errorOf } from '../support/streams.ts'

describe('before a restore', () => {
  it('lets the same and newer versions of the same edition be', () => {
    for (const [backup, target] of [
      ['4.9.14', '4.9.14'],
      ['4.9.9', '4.9.14'],
      ['4.9', '4.10.0'],
      ['v4.9.1', '4.9.1+build.7'],
    ]) {
      const found = preflight({ edition: 'palette', version: backup }, { edition: 'palette', version: target })
      expect(found, `${backup} into ${target}`).toEqual({ refusals: [], warnings: [] })
    }
  })

  it('refuses an older version and the other edition', () => {
    const found = preflight({ edition: 'palette', version: '4.9.14' }, { edition: 'vertex', version: '4.9.9' })
    expect(found.refusals).toEqual([
      'the backup is of Palette, the target is VerteX',
      'the backup is of Palette 4.9.14, the target is older: 4.9.9',
    ])
  })

  it('says what it could not compare, and does not refuse because of it', () => {
    const { refusals, warnings } = preflight({}, { edition: 'palette', version: 'main' })
    expect(refusals).toEqual([])
    expect(warnings).toHaveLength(2)
  })
})

describe('agent upgrades', () => {
  it('are paused and resumed with the key of a tenant', async () => {
    await using api = await startPaletteApi()
    const upgrades = upgradesOf(api)
    expect(await upgrades.read(never())).toBe('unlock')
    await upgrades.set('lock', never())
    expect(api.setting).toBe('lock')
    expect(await upgrades.read(never())).toBe('lock')
  })

  it('wait for a Palette that has only just been started', async () => {
    await using api = await startPaletteApi()
    api.failures.push(503, 502, 404)
    await upgradesOf(api).set('lock', never())
    expect(api.calls).toHaveLength(4)
  })

  it('name a wrong key and an untrusted certificate, and print no key', async () => {
    await using api = await startPaletteApi()
    const wrong = await errorOf(upgradesOf(api, { apiKey: new Secret('hunter2') }).read(never()))
    expect(wrong).toMatchObject({ code: 'auth', hint: expect.stringContaining('provider.palette.api_key') })
    expect(JSON.stringify(wrong)).not.toContain('hunter2')
    expect(await errorOf(upgradesOf(api, { ignoreInsecureTlsError: false }).read(never()))).toMatchObject({
      code: 'unreachable',
      hint: expect.stringContaining('ignore_insecure_tls_error'),
    })
  })
})

describe('after a restore', () => {
  it('lists what is left to do by hand', () => {
    const moved = leftByHand({
      secretsApplied: false,
      writersManaged: false,
      upgradesManaged: false,
      rootDomains: ['old.example.com', 'new.example.com'],
    })
    expect(moved[0]).toBe('Start the workloads of Palette again.')
    expect(moved[1]).toContain('Point DNS of old.example.com')
    expect(moved.join()).toContain('--apply-secrets')
    const same = leftByHand({ secretsApplied: true, writersManaged: true, upgradesManaged: true, rootDomains: [] })
    expect(same).toHaveLength(5)
  })
})

function upgradesOf({ host }: PaletteApi, changes: { apiKey?: Secret; ignoreInsecureTlsError?: boolean } = {}) {
  const config = { host, apiKey: new Secret('tenant-key'), ignoreInsecureTlsError: true, ...changes }
  return new AgentUpgrades(config, { ...systemClock, sleep: async () => undefined })
}

function never(): AbortSignal {
  return new AbortController().signal
}
