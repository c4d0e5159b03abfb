import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import {
  createMessageConnection,
  type MessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node.js'

const SERVER = fileURLToPath(
  new URL('../../node_modules/yaml-language-server/bin/yaml-language-server', import.meta.url),
)

export interface EditorDiagnostic {
  readonly message: string
  /** From 0. */
  readonly range: { readonly start: { readonly line: number; readonly character: number } }
}

/** What editors run beside a YAML file, spoken to as they do: LSP over standard input and output. */
export class YamlLanguageServer {
  readonly #child: ChildProcess
  readonly #connection: MessageConnection
  readonly #published = new Map<string, (diagnostics: readonly EditorDiagnostic[]) => void>()

  private constructor(child: ChildProcess, connection: MessageConnection) {
    this.#child = child
    this.#connection = connection
  }

  static async start(): Promise<YamlLanguageServer> {
    const child = spawn(process.execPath, [SERVER, '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] })
    const connection = createMessageConnection(
      new StreamMessageReader(child.stdout),
      new StreamMessageWriter(child.stdin),
    )
    const server = new YamlLanguageServer(child, connection)
    connection.onNotification('textDocument/publishDiagnostics', ({ uri, diagnostics }) =>
      server.#published.get(uri)?.(diagnostics),
    )
    // No catalogue of schemas from the network: the file names its own.
    const yaml = { validate: true, hover: true, completion: true, schemaStore: { enable: false } }
    connection.onRequest('workspace/configuration', ({ items }: { items: readonly { section: string }[] }) =>
      items.map(({ section }) => (section === 'yaml' ? yaml : null)),
    )
    connection.onRequest('client/registerCapability', () => null)
    connection.listen()
    await connection.sendRequest('initialize', {
      processId: process.pid,
      rootUri: null,
      capabilities: {
        workspace: { configuration: true },
        textDocument: { publishDiagnostics: {}, completion: { completionItem: { snippetSupport: true } }, hover: {} },
      },
    })
    await connection.sendNotification('initialized', {})
    return server
  }

  /** Opens a text as the content of `uri`; resolves with what is underlined in it. */
  async open(uri: string, text: string): Promise<readonly EditorDiagnostic[]> {
    const told = new Promise<readonly EditorDiagnostic[]>((resolve) => this.#published.set(uri, resolve))
    await this.#connection.sendNotification('textDocument/didOpen', {
      textDocument: { uri, languageId: 'yaml', version: 1, text },
    })
    return await told
  }

  /** What is proposed at a place; lines and columns from 0. */
  async complete(uri: string, line: number, character: number): Promise<readonly string[]> {
    const { items } = await this.#connection.sendRequest<{ items: readonly { label: string }[] }>(
      'textDocument/completion',
      { textDocument: { uri }, position: { line, character } },
    )
    return items.map(({ label }) => label)
  }

  /** What is shown of a place. */
  async hover(uri: string, line: number, character: number): Promise<string> {
    const shown = await this.#connection.sendRequest<{ contents: { value: string } } | null>('textDocument/hover', {
      textDocument: { uri },
      position: { line, character },
    })
    return shown?.contents.value ?? ''
  }

  async stop(): Promise<void> {
    await this.#connection.sendRequest('shutdown')
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    await this.#connection.sendNotification('exit')
    await ended
    this.#connection.dispose()
  }
}
