import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Plugin } from 'rolldown'

/** The file beside the bundle that carries what the licences of its parts ask for. */
export const LICENCES_FILE = 'THIRD-PARTY-LICENCES.txt'

/** Licences that ask for no more than their text to be handed on (SPDX identifiers). */
const ACCEPTED = new Set(['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT'])

const RULE = '='.repeat(80)
/** The one licence whose text is there anyway: this program's own, which asks for no names in it. */
const OURS = 'Apache-2.0'

interface Package {
  readonly name: string
  readonly version: string
  readonly licence: string
  /** Of its licence and its notices. */
  readonly text: string
}

/**
 * Writes the name, version and licence of every package of which something went into the bundle. A package whose licence
 * is none of those accepted, or is not there to be handed on, ends the build: somebody has to read it first.
 */
export function thirdPartyLicences(): Plugin {
  return {
    name: 'third-party-licences',
    async generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((output) => (output.type === 'chunk' ? output.moduleIds : []))
      const folders = new Set(modules.flatMap((id) => packageFolder(id) ?? []))
      const packages = await Promise.all([...folders].sort().map(readPackage))
      this.emitFile({ type: 'asset', fileName: LICENCES_FILE, source: licencesText(packages) })
    },
  }
}

/** The folder of the package a module is of; absent for what is of no package. */
function packageFolder(moduleId: string): string | undefined {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(moduleId)?.[0]
}

async function readPackage(folder: string): Promise<Package> {
  const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  if (!ACCEPTED.has(license)) {
    throw unfit(folder, `${name} ${version} is under ${JSON.stringify(license)}, none of ${[...ACCEPTED].join(', ')}`)
  }
  const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file)).sort()
  const texts = await Promise.all(files.map(async (file) => (await readFile(join(folder, file), 'utf8')).trim()))
  if (texts.length === 0 && license !== OURS)
    throw unfit(folder, `${name} ${version} carries no text of its ${license}`)
  return { name, version, licence: license, text: texts.join('\n\n') || 'The text is in LICENSE.' }
}

function unfit(folder: string, why: string): Error {
  return new Error(
    `${folder}: ${why}. Read its licence: allow it in third-party-licences.ts, or do without the package.`,
  )
}

/** A chapter for each text, headed by the packages it is of: dozens share one word for word. */
function licencesText(packages: readonly Package[]): string {
  const sharing = Map.groupBy(packages, ({ licence, text }) => `${licence}\n\n${text}`)
  return [...sharing]
    .map(([text, sharers]) => {
      const names = sharers.map(({ name, version }) => `${name} ${version}`).join('\n')
      return `${RULE}\n${names}\n${RULE}\n${text}\n`
    })
    .join('\n')
}
