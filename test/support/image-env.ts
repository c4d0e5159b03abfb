import { readFileSync } from 'node:fs'

/** What the image sets for every process of it: `ENV` of the Dockerfile. */
export const IMAGE_ENV: Readonly<Record<string, string>> = Object.fromEntries(
  [...readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8').matchAll(/^ENV (.+)$/gm)]
    .flatMap(([, settings = '']) => settings.split(' '))
    .map((setting) => [setting.slice(0, setting.indexOf('=')), setting.slice(setting.indexOf('=') + 1)]),
)
if (!('NODE_OPTIONS' in IMAGE_ENV))
  throw new Error('the Dockerfile sets no NODE_OPTIONS: the image would not be measured')
