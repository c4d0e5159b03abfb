import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { systemClock } from '../../agent/core/clock.ts'
import { silentLogger } from '../../agent/core/log.ts'
import { createApp } from '../../agent/http/app.ts'
import type { HttpServer } from '../../agent/http/server.ts'
import { startServer } from '../../agent/http/server.ts'
import { richView } from './rich-view.ts'

const DOCUMENT: unknown = parse(readFileSync(new URL('../../docs/openapi.yaml', import.meta.url), 'utf8'))
const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'options'] as const

const Operation = z.looseObject({ responses: z.record(z.string(), z.unknown()) })
const Path = z.partialRecord(z.enum([...METHODS, 'parameters']), z.unknown())
const OpenApi = z.looseObject({ openapi: z.literal('3.1.0'), paths: z.record(z.string(), Path) })
const { paths } = OpenApi.parse(DOCUMENT)

/** `get /runs/{runId}` */
const documented = Object.entries(paths).flatMap(([path, item]) =>
  METHODS.filter((method) => item[method] !== undefined).map((method) => ({ method, path })),
)

const Layer = z.object({
  route: z.object({ path: z.string(), methods: z.record(z.string(), z.boolean()) }).optional(),
  handle: z.unknown(),
})

/** Every route of an express router and of those mounted in it. */
function routesOf(router: unknown): string[] {
  const stack: unknown = typeof router === 'function' && 'stack' in router ? router.stack : []
  return z
    .array(Layer)
    .parse(stack)
    .flatMap(({ route, handle }) => {
      // `_all`: what refuses every other method.
      const methods = Object.keys(route?.methods ?? {}).filter((method) => method !== '_all')
      if (route) return methods.map((method) => `${method} ${toTemplate(route.path)}`)
      return routesOf(handle)
    })
}

const toTemplate = (path: string): string => path.replaceAll(/:(\w+)/g, '{$1}')

describe('docs/openapi.yaml', () => {
  const app = createApp(richView(), { logger: silentLogger })
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  let server: HttpServer

  beforeAll(async () => {
    ajv.addSchema({ ...OpenApi.parse(DOCUMENT) }, 'openapi')
    server = await startServer(app, { host: '127.0.0.1', port: 0, clock: systemClock })
  })

  afterAll(() => server.close())

  it('names every route there is, and no other', () => {
    expect(documented.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(routesOf(app.router).sort())
  })

  const undocumented = Object.entries(paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method] === undefined).map((method) => ({ method, path })),
  )

  it.each(undocumented)('$method $path is refused, and told what there is', async ({ method, path }) => {
    const url = `http://127.0.0.1:${server.port}${path.replace('{runId}', 'activeab')}`
    const reply = await fetch(url, { method: method.toUpperCase() })
    expect(reply.status).toBe(405)
    expect(reply.headers.get('content-type')).toContain('application/problem+json')
    const told = (reply.headers.get('allow') ?? '').toLowerCase().split(', ')
    const known = documented.filter((one) => one.path === path).map((one) => one.method)
    expect(told.filter((one) => one !== 'head').sort()).toEqual(known.sort())
    expect(told.includes('head')).toBe(told.includes('get'))
  })

  it('refers only to what it holds', () => {
    for (const [, ref] of JSON.stringify(DOCUMENT).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const found = ref
        ?.split('/')
        .reduce<unknown>((value, key) => z.record(z.string(), z.unknown()).parse(value)[key], DOCUMENT)
      expect(found, ref).toBeDefined()
    }
  })

  const requests: readonly (readonly [method: string, path: string, url: string, status: number, body: string])[] = [
    ['get', '/healthz', '/healthz', 200, ''],
    ['get', '/readyz', '/readyz', 200, ''],
    ['get', '/metrics', '/metrics', 200, ''],
    ['get', '/', '/', 200, ''],
    ['get', '/status', '/status', 200, ''],
    ['get', '/backups', '/backups', 200, ''],
    ['get', '/backups', '/backups?location=other', 404, ''],
    ['post', '/backups', '/backups?policy=nightly', 202, ''],
    ['post', '/backups', '/backups', 400, ''],
    ['post', '/backups', '/backups?policy=other', 404, ''],
    ['get', '/runs', '/runs', 200, ''],
    ['get', '/runs/{runId}', '/runs/activeab', 200, ''],
    ['get', '/runs/{runId}', '/runs/endedrun', 200, ''],
    ['get', '/runs/{runId}', '/runs/other', 404, ''],
    ['delete', '/runs/{runId}', '/runs/activeab', 202, ''],
    ['delete', '/runs/{runId}', '/runs/endedrun', 409, ''],
    ['get', '/validate', '/validate?location=nas', 200, ''],
    ['get', '/validate', '/validate?location=offsite', 422, ''],
    ['post', '/validate', '/validate', 200, 'version: 1\n'],
    ['post', '/validate', '/validate', 413, 'x'.repeat(1_048_577)],
    ['post', '/plan', '/plan', 200, 'version: 1\n'],
    ['post', '/plan', '/plan', 400, ''],
    ['post', '/-/reload', '/-/reload', 200, ''],
  ]

  it('has an example here for every operation', () => {
    const tried = new Set(requests.map(([method, path]) => `${method} ${path}`))
    expect(documented.map(({ method, path }) => `${method} ${path}`).filter((one) => !tried.has(one))).toEqual([])
  })

  it.each(requests)('%s %s: %s answers as written (%i)', async (method, path, url, status, body) => {
    const reply = await fetch(`http://127.0.0.1:${server.port}${url}`, {
      method: method.toUpperCase(),
      ...(body === '' ? {} : { body }),
    })
    expect(reply.status).toBe(status)
    const item = z.record(z.string(), z.unknown()).parse(paths[path])
    const { responses } = Operation.parse(item[method])
    const name = String(status) in responses ? String(status) : 'default'
    expect(Object.keys(responses)).toContain(name)
    const type = reply.headers.get('content-type')?.split(';')[0] ?? ''
    const content = contentOf(responses[name])
    expect(Object.keys(content)).toContain(type)
    const text = await reply.text()
    if (!type.includes('json')) return
    // Through the whole document, so that references within it resolve.
    const validate = ajv.compile({ $ref: `openapi#${pointerOf(responses[name], path, method, name, type)}` })
    validate(JSON.parse(text))
    expect(validate.errors ?? []).toEqual([])
  })
})

const Reference = z.object({ $ref: z.string() })
const Response = z.object({ content: z.record(z.string(), z.unknown()) })

function contentOf(response: unknown): Record<string, unknown> {
  const reference = Reference.safeParse(response)
  if (!reference.success) return Response.parse(response).content
  const { components } = z
    .object({ components: z.object({ responses: z.record(z.string(), Response) }) })
    .parse(DOCUMENT)
  return components.responses[reference.data.$ref.split('/').at(-1) ?? '']?.content ?? {}
}

function pointerOf(response: unknown, path: string, method: string, status: string, type: string): string {
  const asPointer = (part: string): string => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))
  const reference = Reference.safeParse(response)
  const base = reference.success
    ? reference.data.$ref.slice(1)
    : `/paths/${asPointer(path)}/${method}/responses/${asPointer(status)}`
  return `${base}/content/${asPointer(type)}/schema`
}
