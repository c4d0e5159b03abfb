import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'
import { peerBinary } from './peer.ts'

const run = promisify(execFile)

/** The chart's own folder. */
export const CHART = fileURLToPath(new URL('../../../charts/palette-backup', import.meta.url))

/** Values for each use, as full paths by their names: `default`, `irsa`, ... */
export const CI_VALUES: Readonly<Record<string, string>> = Object.fromEntries(
  readdirSync(`${CHART}/ci`).map((file) => [file.replace(/-values\.yaml$/, ''), `${CHART}/ci/${file}`]),
)

export interface ChartObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly [key: string]: unknown
}

/** Runs helm to its end; rejects with what it wrote to standard error. */
export async function helm(...args: readonly string[]): Promise<string> {
  return (await run(peerBinary('helm'), [...args], { maxBuffer: 16 << 20 })).stdout
}

/** What `helm template` makes of the chart with these values (further arguments of helm, such as `-f` and `--set`). */
export async function renderChart(...args: readonly string[]): Promise<readonly ChartObject[]> {
  const namespace = ['-n', 'palette-backup', '--kube-version', '1.33.0']
  const text = await helm('template', 'palette-backup', CHART, ...namespace, ...args)
  // As Kubernetes reads it: 0440 is octal.
  return parseAllDocuments(text, { version: '1.1' }).flatMap((document) => {
    if ('empty' in document) return []
    for (const problem of [...document.errors, ...document.warnings]) throw problem
    const object = document.toJSON()
    return object === null ? [] : [object]
  })
}
