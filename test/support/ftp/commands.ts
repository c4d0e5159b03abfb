import type { DataConnection } from './data-port.ts'
import type { Effect } from './faults.ts'
import { machineListing, machineTime, unixListing } from './listing.ts'
import type { Session } from './session.ts'
import type { Outcome } from './transfer.ts'
import { receive, send } from './transfer.ts'
import { FtpFile } from './tree.ts'

export type Reply = readonly [code: number, text: string]
type Command = (
  session: Session,
  argument: string,
  effect: Effect | undefined,
) => Reply | undefined | Promise<Reply | undefined>

export const WITHOUT_LOGIN = new Set(['USER', 'PASS', 'AUTH', 'FEAT', 'OPTS', 'QUIT', 'NOOP', 'PBSZ', 'PROT'])

const OK: Reply = [200, 'Ok.']
const NO_FILE: Reply = [550, 'No such file.']
const NO_FOLDER: Reply = [550, 'No such directory.']

export const COMMANDS: Readonly<Record<string, Command>> = {
  USER: (session, username) => {
    const { tls } = session.double.options
    if (tls && !session.secured) return [530, 'Non-anonymous sessions must use encryption.']
    session.username = username
    return [331, 'Please specify the password.']
  },
  PASS: (session, password) => {
    const { options } = session.double
    session.loggedIn = session.username === options.username && password === options.password
    return session.loggedIn ? [230, 'Login successful.'] : [530, 'Login incorrect.']
  },
  AUTH: (session, mechanism) => {
    if (!session.double.secureContext || mechanism !== 'TLS') return [502, 'Command not implemented.']
    session.startTls()
    return undefined
  },
  PBSZ: () => [200, 'PBSZ set to 0.'],
  PROT: (session, level) => {
    if (!session.secured) return [503, 'Secure the control connection first.']
    session.protectedData = level === 'P'
    return [200, `PROT now ${level}.`]
  },
  FEAT: (session) => {
    const { mlsd = true, epsv = true, tls } = session.double.options
    const lines = [...(epsv ? ['EPSV'] : []), 'MDTM', 'REST STREAM', 'SIZE', 'UTF8']
    if (mlsd) lines.push('MLST type*;size*;modify*;')
    if (tls) lines.push('AUTH TLS', 'PBSZ', 'PROT')
    session.replyLines(211, lines)
    return undefined
  },
  OPTS: () => OK,
  TYPE: () => OK,
  STRU: () => OK,
  MODE: () => OK,
  NOOP: () => OK,
  ABOR: () => [225, 'No transfer to abort.'],
  QUIT: () => [221, 'Goodbye.'],
  SYST: () => [215, 'UNIX Type: L8'],
  PWD: ({ cwd }) => [257, `"${cwd}" is the current directory`],
  CWD: (session, path) => {
    const target = session.resolve(path)
    if (!session.double.tree.folders.has(target)) return NO_FOLDER
    session.cwd = target
    return [250, 'Directory changed.']
  },
  MKD: (session, path) => {
    const { tree } = session.double
    const target = session.resolve(path)
    if (tree.exists(target)) return [550, 'File exists.']
    if (!tree.hasParent(target)) return NO_FOLDER
    tree.folders.add(target)
    return [257, `"${target}" created`]
  },
  RMD: (session, path) => {
    const { tree } = session.double
    const target = session.resolve(path)
    if (!tree.folders.has(target)) return NO_FOLDER
    if (tree.namesIn(target).length > 0) return [550, 'Directory not empty.']
    tree.folders.delete(target)
    return [250, 'Directory removed.']
  },
  DELE: (session, path) => {
    return session.double.tree.files.delete(session.resolve(path)) ? [250, 'Deleted.'] : NO_FILE
  },
  SIZE: (session, path) => {
    const file = session.double.tree.files.get(session.resolve(path))
    return file ? [213, String(file.sizeBytes)] : NO_FILE
  },
  MDTM: (session, path) => {
    const file = session.double.tree.files.get(session.resolve(path))
    return file ? [213, machineTime(file.modified)] : NO_FILE
  },
  RNFR: (session, path) => {
    session.renameFrom = session.resolve(path)
    return session.double.tree.exists(session.renameFrom) ? [350, 'Ready for RNTO.'] : NO_FILE
  },
  RNTO: (session, path) => {
    const { tree, options } = session.double
    const file = tree.files.get(session.renameFrom ?? '')
    if (!file || session.renameFrom === undefined) return [503, 'RNFR required first.']
    const target = session.resolve(path)
    if (!tree.hasParent(target) || tree.folders.has(target)) return NO_FOLDER
    if (tree.files.has(target) && options.renameReplaces === false) return [550, 'File exists.']
    tree.files.delete(session.renameFrom)
    tree.files.set(target, file)
    session.renameFrom = undefined
    return [250, 'Renamed.']
  },
  REST: (session, position) => {
    session.restartAt = Number(position)
    return [350, `Restarting at ${session.restartAt}.`]
  },
  EPSV: async (session) => {
    const { epsv = true } = session.double.options
    if (!epsv) return [502, 'Command not implemented.']
    return [229, `Entering Extended Passive Mode (|||${await session.openDataPort()}|)`]
  },
  PASV: async (session) => {
    const port = await session.openDataPort()
    const { passiveAddress = '127.0.0.1' } = session.double.options
    return [227, `Entering Passive Mode (${passiveAddress.replaceAll('.', ',')},${port >> 8},${port & 0xff})`]
  },
  RETR: async (session, path, effect) => {
    const file = session.double.tree.files.get(session.resolve(path))
    const from = session.restartAt
    session.restartAt = 0
    if (!file) return NO_FILE
    return await transfer(session, (data) => send(data, file.bytes.subarray(from), effect))
  },
  STOR: async (session, path, effect) => {
    const { tree, options } = session.double
    const target = session.resolve(path)
    if (!tree.hasParent(target) || tree.folders.has(target)) return [553, 'Could not create file.']
    const from = session.restartAt
    session.restartAt = 0
    const file = new FtpFile(from === 0 ? undefined : tree.files.get(target)?.bytes.subarray(0, from))
    tree.files.set(target, file)
    const used = [...tree.files.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    const room = (options.capacityBytes ?? Number.POSITIVE_INFINITY) - used
    return await transfer(session, (data) => receive(data, file, effect, room))
  },
  LIST: async (session, argument, effect) => {
    const all = argument === '-a' || argument.startsWith('-a ')
    const folder = session.resolve(all ? argument.slice(3) : argument)
    const { tree, options } = session.double
    if (!tree.folders.has(folder) && options.missingFolder !== 'empty') return NO_FOLDER
    const text = tree.folders.has(folder) ? unixListing(tree, folder, { all }) : ''
    return await transfer(session, (data) => send(data, Buffer.from(text), effect))
  },
  MLSD: async (session, path, effect) => {
    const { tree, options } = session.double
    const folder = session.resolve(path)
    if (options.mlsd === false) return [502, 'Command not implemented.']
    if (!tree.folders.has(folder)) return NO_FOLDER
    const text = machineListing(tree, folder)
    return await transfer(session, (data) => send(data, Buffer.from(text), effect))
  },
}

async function transfer(
  session: Session,
  move: (data: DataConnection) => Promise<Outcome>,
): Promise<Reply | undefined> {
  const { requireSessionReuse = true, tls } = session.double.options
  if (tls && !session.protectedData) return [522, 'Data connections must be encrypted.']
  const port = session.takeDataPort()
  if (!port) return [425, 'Use PASV or EPSV first.']
  try {
    session.reply(150, 'Ok to send data.')
    const data = await port.connection()
    const handshake = await data.handshake
    if (handshake === 'failed') return [425, 'The TLS handshake failed.']
    if (handshake === 'new' && requireSessionReuse) return [522, 'SSL connection failed: session reuse required']
    session.transferring = true
    const outcome = await move(data)
    return outcome === 'silence' ? await new Promise(() => undefined) : [outcome.code, outcome.text]
  } finally {
    session.transferring = false
    session.closeDataPort()
  }
}
