import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { peerBinary, peersMissing } from './servers/peer.ts'

const run = promisify(execFile)
const FOLDER = '.github/workflows'

describe.skipIf(peersMissing('actionlint'))('the workflows', () => {
  it('are what GitHub takes', async () => {
    const files = (await readdir(FOLDER)).map((name) => `${FOLDER}/${name}`)
    expect(files).toContain(`${FOLDER}/mongodb.yaml`)
    await run(peerBinary('actionlint'), ['-shellcheck=', '-pyflakes=', ...files])
  })

  it('run the suite against MongoDB by the command that runs here', async () => {
    const text = await readFile(`${FOLDER}/mongodb.yaml`, 'utf8')
    const [, command = ''] = /run: (npx vitest run .*)$/m.exec(text) ?? []
    const [program = '', ...args] = command.split(' ')
    const { stdout } = await run(program, args, { env: { ...process.env, PEER_MONGODB_URI: undefined, CI: undefined } })
    // Without a MongoDB to run against, all of it is there and skipped.
    expect(stdout).toMatch(/Tests .*6 skipped/)
  })
})
