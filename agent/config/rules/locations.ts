import { isAbsolute, normalize } from 'node:path'
import type { LocationConfig } from '../config.ts'
import type { Path } from '../document.ts'
import type { Resolved } from '../references.ts'
import type { Reporter } from '../reporter.ts'
import type { ConfigFileValue } from '../schema.ts'
import { ftpLocation } from './ftp-location.ts'
import { checkFolder } from './place.ts'
import { s3Location } from './s3-location.ts'

export type RawLocation = Resolved<ConfigFileValue>['resource']['backup_storage_location'][string]

export type ResolvedCommon = Pick<LocationConfig, 'name' | 'folder' | 'validate' | 'maxBytesPerSecond'>

type Attribute = 'bucket_name' | 'region' | 'ca_cert' | 's3' | 'ftp' | 'filesystem'

interface Needs {
  readonly required: readonly Attribute[]
  readonly forbidden: readonly Attribute[]
}

/** As in the resource of the same name of the Spectro Cloud provider, with FTP and directories beside S3. */
export const NEEDS: Readonly<Record<RawLocation['storage_provider'], Needs>> = {
  s3: { required: ['bucket_name', 'region', 's3'], forbidden: ['ftp', 'filesystem'] },
  ftp: { required: ['ftp'], forbidden: ['bucket_name', 'region', 's3', 'filesystem'] },
  filesystem: { required: ['filesystem'], forbidden: ['bucket_name', 'region', 'ca_cert', 's3', 'ftp'] },
}

export function buildLocations(value: Resolved<ConfigFileValue>, report: Reporter): LocationConfig[] {
  const locations = Object.entries(value.resource.backup_storage_location).map(([name, raw]) => {
    const path = ['resource', 'backup_storage_location', name]
    checkNeeds(raw, path, report)
    return buildLocation(name, raw, path, report)
  })
  checkPlaces(locations, report)
  return locations
}

function checkNeeds(raw: RawLocation, path: Path, report: Reporter): void {
  const { required, forbidden } = NEEDS[raw.storage_provider]
  for (const name of required) {
    if (raw[name] !== undefined) continue
    const detail = `storage_provider "${raw.storage_provider}" needs the attribute "${name}".`
    report.error({ path: [...path, name], at: 'key', summary: 'Missing required attribute', detail })
  }
  for (const name of forbidden) {
    if (raw[name] === undefined) continue
    const detail = `"${name}" has no use with storage_provider "${raw.storage_provider}". Remove it.`
    report.error({ path: [...path, name], at: 'key', summary: 'Conflicting attributes', detail })
  }
}

function buildLocation(name: string, raw: RawLocation, path: Path, report: Reporter): LocationConfig {
  const common = {
    name,
    folder: checkFolder(raw.folder, path, report),
    validate: raw.validate,
    ...(raw.max_bytes_per_second === undefined ? {} : { maxBytesPerSecond: raw.max_bytes_per_second }),
  }
  switch (raw.storage_provider) {
    case 's3':
      return s3Location(raw, common, path, report)
    case 'ftp':
      return ftpLocation(raw, common, path, report)
    case 'filesystem': {
      const directory = raw.filesystem?.path ?? '/'
      if (!isAbsolute(directory)) {
        const detail = 'Expected an absolute path: one that begins with /.'
        report.error({ path: [...path, 'filesystem', 'path'], summary: 'Relative path', detail })
      }
      const marker = raw.filesystem?.marker
      return {
        ...common,
        storageProvider: 'filesystem',
        path: normalize(directory),
        ...(marker === undefined ? {} : { marker }),
      }
    }
  }
}

/** Two names for one place would prune each other's backups and count one copy twice. */
function checkPlaces(locations: readonly LocationConfig[], report: Reporter): void {
  const owners = new Map<string, string>()
  for (const location of locations) {
    const place = placeOf(location)
    const owner = owners.get(place)
    if (owner === undefined) owners.set(place, location.name)
    else {
      const detail = `"${location.name}" and "${owner}" are the same place. Use one name, or another folder.`
      const path = ['resource', 'backup_storage_location', location.name]
      report.error({ path, at: 'key', summary: 'Same place under two names', detail })
    }
  }
}

function placeOf(location: LocationConfig): string {
  const slashless = (text: string): string => text.replace(/\/+/g, '/').replace(/^\/|\/$/g, '')
  switch (location.storageProvider) {
    case 's3':
      return JSON.stringify(['s3', serviceOf(location.s3Url), location.bucketName, location.folder])
    case 'ftp': {
      const { host, port, username, directory, folder } = location
      return JSON.stringify(['ftp', host, port, username, slashless(`${directory}/${folder}`)])
    }
    case 'filesystem':
      return JSON.stringify(['filesystem', slashless(`${location.path}/${location.folder}`)])
  }
}

/** Amazon under all its names is one: a bucket's name is taken once in the world. */
function serviceOf(s3Url: string | undefined): string {
  const url = s3Url === undefined ? null : URL.parse(s3Url)
  if (!url) return s3Url ?? ''
  return /\.amazonaws\.com(\.cn)?$/.test(url.hostname) ? '' : `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}
