import type { Server, ServerResponse } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { errnoOf } from '../core/errors.ts'
import type { Problem } from './problem.ts'
import { problemText } from './problem.ts'

/** What never became a request is answered as a problem as well, and its connection closed. */
export function answerClientErrors(server: Server): void {
  const answers = new WeakMap<Socket, ServerResponse>()
  server.on('request', ({ socket }, response) => answers.set(socket, response))
  server.on('clientError', (error, socket: Socket) => {
    const answer = answers.get(socket)
    // In the middle of an answer another one would only garble it.
    const isMidway = answer?.headersSent && !answer.writableFinished
    if (!socket.writable || isMidway) return socket.destroy()
    return socket.end(wholeAnswer(problemOf(errnoOf(error))), () => socket.destroy())
  })
}

function problemOf(code: string | undefined): Problem {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, title: 'The request took too long' }
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, title: 'The headers are too large', detail: 'At most 16 KiB are read.' }
    default:
      return { status: 400, title: 'The request could not be read', detail: 'This is no HTTP/1.1.' }
  }
}

function wholeAnswer(problem: Problem): string {
  const body = problemText(problem)
  const { status } = problem
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n')
}
