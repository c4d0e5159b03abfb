import { StringDecoder } from 'node:string_decoder'

export interface Line {
  readonly text: string
  /** The line was longer than allowed and ends where the limit was reached. */
  readonly cut: boolean
}

/** The lines of a stream of UTF-8. Holds `maxLength` characters at most, whatever comes. */
export async function* boundedLines(stream: AsyncIterable<Uint8Array>, maxLength: number): AsyncGenerator<Line> {
  const decoder = new StringDecoder('utf8')
  let text = ''
  let cut = false
  for await (const chunk of stream) {
    const parts = decoder.write(Buffer.from(chunk)).split('\n')
    for (const [index, part] of parts.entries()) {
      if (index > 0) {
        if (text !== '') yield { text, cut }
        text = ''
        cut = false
      }
      cut ||= text.length + part.length > maxLength
      text += part.slice(0, maxLength - text.length)
    }
  }
  if (text !== '') yield { text, cut }
}
