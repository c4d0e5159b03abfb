const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

/** Text, or elements by name; an array repeats its element, `undefined` leaves it out. */
export type XmlValue = string | number | boolean | XmlElements
export interface XmlElements {
  readonly [name: string]: XmlValue | readonly XmlValue[] | undefined
}

export function xmlDocument(root: string, elements: XmlElements): string {
  return `${DECLARATION}<${root} xmlns="${NAMESPACE}">${inner(elements)}</${root}>`
}

export function errorDocument(code: string, message: string, resource: string): string {
  return `${DECLARATION}<Error>${inner({ Code: code, Message: message, Resource: resource })}</Error>`
}

/** The text of every element of that name, in order; good for the flat documents that S3 clients send. */
export function textsOf(xml: string, name: string): string[] {
  const texts = [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(([, text = '']) => text)
  return texts.map((text) => text.replaceAll('&quot;', '"').replaceAll('&#34;', '"').replaceAll('&amp;', '&'))
}

function inner(value: XmlValue): string {
  if (typeof value !== 'object') return escapeText(String(value))
  return Object.entries(value)
    .flatMap(([name, content]) => (Array.isArray(content) ? content : [content]).map((one) => element(name, one)))
    .join('')
}

function element(name: string, value: XmlValue | undefined): string {
  return value === undefined ? '' : `<${name}>${inner(value)}</${name}>`
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
