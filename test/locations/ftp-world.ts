import { afterEach } from 'vitest'
import type { FtpLocationConfig } from '../../agent/config/config.ts'
import type { Failure } from '../../agent/core/errors.ts'
import type { CallOptions, Location } from '../../agent/locations/location.ts'
import type { Effect } from '../support/ftp/faults.ts'
import { openDouble, startDouble } from '../support/ftp/location.ts'
import type { FtpDouble, FtpOptions } from '../support/ftp/server.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'
import { errorOf } from '../support/streams.ts'

/** Patience with the double; everything it says, it says at once. */
export const SILENCE_MS = 400
export const certificate = selfSignedCertificate()
export const RESET: Effect = { kind: 'reset' }

export let ftp: FtpDouble
export let location: Location

/** Ends the server and the location of each test of the file that calls it. */
export function useFtp(): void {
  afterEach(async () => {
    await location?.close()
    await ftp?.stop()
  })
}

/** A server and a location on it. */
export async function start(options: Partial<FtpOptions> = {}, silenceMs = SILENCE_MS): Promise<void> {
  ftp = await startDouble(options)
  location = openDouble(ftp, {}, silenceMs)
}

/** The location on the same server, configured differently. */
export async function reopen(changes: Partial<FtpLocationConfig>): Promise<void> {
  await location.close()
  location = openDouble(ftp, changes)
}

export function fail(command: string, effect: Effect, times = 1): void {
  ftp.fail({ command, times, effect })
}

export function live(): CallOptions {
  return { signal: new AbortController().signal }
}

export async function failureOf(promise: Promise<unknown>): Promise<Failure | undefined> {
  return (await errorOf(promise)) as Failure | undefined
}
