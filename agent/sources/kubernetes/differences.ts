import type { KubernetesObject } from '../../kubernetes/object.ts'

/** One key whose value differs. Sizes in bytes, as they are without base64; absent where there is none. */
export interface FieldChange {
  readonly field: string
  readonly before?: number
  readonly after?: number
}

/** In which keys two Secrets or ConfigMaps differ, without a word of what stands in them. */
export function differences(before: KubernetesObject | undefined, after: KubernetesObject): FieldChange[] {
  return ['data', 'binaryData'].flatMap((field) => {
    const old = textsOf(before?.[field])
    const next = textsOf(after[field])
    const keys = [...new Set([...old.keys(), ...next.keys()])].sort()
    const isEncoded = after.kind === 'Secret' || field === 'binaryData'
    const size = (text: string | undefined): number | undefined =>
      text === undefined ? undefined : Buffer.byteLength(text, isEncoded ? 'base64' : 'utf8')
    return keys
      .filter((key) => old.get(key) !== next.get(key))
      .map((key) => describe(`${field}.${key}`, size(old.get(key)), size(next.get(key))))
  })
}

/** `~ data.key.pem  1704 → 1708 bytes` */
export function formatFieldChange({ field, before, after }: FieldChange): string {
  if (before === undefined) return `+ ${field}  ${after} bytes`
  if (after === undefined) return `- ${field}  ${before} bytes`
  return `~ ${field}  ${before} → ${after} bytes`
}

function describe(field: string, before: number | undefined, after: number | undefined): FieldChange {
  return { field, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }
}

function textsOf(value: unknown): Map<string, string> {
  if (typeof value !== 'object' || value === null) return new Map()
  return new Map(Object.entries(value).map(([key, text]) => [key, String(text)]))
}
