/** Folders of files on the disk, for the tests of tools. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { RunletError } from '../../src/core/error.ts'
import type { JsonObject, JsonValue } from '../../src/core/json.ts'
import type { Tool, ToolContext } from '../../src/core/tool.ts'

/** Content by path; `{ link }` is a symbolic link with that target. A path that ends in `/` is an empty folder. */
export type Tree = Readonly<Record<string, string | Uint8Array | { readonly link: string }>>

/** Writes a tree into a new folder, which goes away with the test. */
export function plant(tree: Tree): string {
  const root = mkdtempSync(join(tmpdir(), 'runlet-tools-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  for (const [path, content] of Object.entries(tree)) {
    const target = join(root, path)
    mkdirSync(path.endsWith('/') ? target : dirname(target), { recursive: true })
    if (typeof content === 'string' || content instanceof Uint8Array) {
      if (!path.endsWith('/')) writeFileSync(target, content)
    } else symlinkSync(content.link, target)
  }
  return root
}

export interface CallOptions {
  readonly signal?: AbortSignal
  readonly progress?: (text: string) => void
}

/** Runs a tool as the engine does. */
export function call(tool: Tool, input: JsonObject = {}, options: CallOptions = {}): Promise<JsonValue> {
  const context: ToolContext = {
    signal: options.signal ?? new AbortController().signal,
    runId: 'run',
    callId: 'call',
    requestId: 'request',
    attempt: 1,
    idempotencyScope: 'request',
    idempotencyKey: 'run/1/call',
    progress: options.progress ?? (() => {}),
  }
  return tool.run(input, context)
}

/** What a tool that answers in text answers. */
export async function answer(tool: Tool, input: JsonObject): Promise<string> {
  const text = await call(tool, input)
  if (typeof text !== 'string') throw new TypeError(`${tool.name} did not answer in text`)
  return text
}

/** What a call was refused with: `code reason`. */
export async function refusal(tool: Tool, input: JsonObject): Promise<string> {
  try {
    return `answered: ${JSON.stringify(await call(tool, input))}`
  } catch (error) {
    if (error instanceof RunletError) return `${error.code} ${error.reason}`
    throw error
  }
}
