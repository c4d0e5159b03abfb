import { describe, expect, it } from 'vitest'
import { RestoreWorld } from '../commands/restore-world.ts'
import { contentsOf } from '../support/contents.ts'
import { startFerretDb } from './servers/ferretdb.ts'
import { peersMissing } from './servers/peer.ts'

/** A server that is not ours, and that tells less about itself than MongoDB does. */
describe.skipIf(peersMissing('ferretdb'))('restore and verify on FerretDB', { timeout: 240_000 }, () => {
  it('restores, proves what it restored, and rolls back', async () => {
    await using target = await startFerretDb()
    await using world = await RestoreWorld.start()
    world.env['TARGET_URI'] = target.uri
    const names = ['hubbledb', 'hubble_archivedb', 'hubble_timeseriesdb']
    const wanted = ['--include', 'hubbledb', 'hubble_archivedb']
    const verified = await world.run(['verify', 'latest', '--level', 'decode'])
    expect(verified.code, verified.stderr).toBe(0)

    const first = await world.restore(wanted)
    expect(first.stderr).not.toContain('Error')
    expect(first.stdout).toContain('the target was read back and is what the backup holds')
    const documents = async (uri: string) =>
      (await contentsOf(uri, names.slice(0, 2)))
        .filter(({ type }) => type === 'collection')
        .map(({ name, documents, digest }) => ({ name, documents, digest }))
    expect(await documents(target.uri)).toEqual(await documents(world.source.uri))

    const second = await world.restore(wanted)
    expect(second.stdout, second.stderr).toContain('safety backup')
    const back = await world.run(['restore', '--rollback', '--to-uri-env', 'TARGET_URI', '--yes'])
    expect(back.stdout, back.stderr).toContain('the target was read back')
    expect(await documents(target.uri)).toEqual(await documents(world.source.uri))
  })
})
