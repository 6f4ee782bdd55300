/**
 * Recorded streams in a folder, at any depth. Each becomes a model named by its path without the ending:
 * `NAME.sse` and `NAME.ndjson` are bodies, byte for byte; `NAME.chunks.txt` holds one payload per line, framed as its
 * API does; `NAME.timed.ndjson` keeps its time (`timed.ts`); `NAME.script.json` is a script (`script.ts`).
 */
import { open, readFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { RunletError } from '../core/error.ts'
import type { Api, ApiKind } from './apis/api.ts'
import { apis } from './apis/index.ts'
import type { Pace } from './performance.ts'
import { type Framing, type Reel, pacedReel } from './reel.ts'
import { type Script, parseScript } from './script.ts'
import { parseTimed } from './timed.ts'

export interface Recording {
  readonly name: string
  readonly file: string
  readonly ending: RecordingEnding
  readonly framing: Exclude<Framing, 'whole'>
  /** Whose stream it is; undefined if nothing in it tells: then every route of its framing plays it. */
  readonly kind: ApiKind | undefined
}

export interface Folder {
  readonly recordings: readonly Recording[]
  readonly scripts: ReadonlyMap<string, Script>
}

// The longest endings first: `a.timed.ndjson` is not the body of a model `a.timed`.
const endings = ['.timed.ndjson', '.ndjson', '.chunks.txt', '.sse'] as const
type RecordingEnding = (typeof endings)[number]
const SCRIPT_ENDING = '.script.json'

/** Largest recording, and how much of its beginning is read to recognise it. */
const MAX_BYTES = 64 * 1024 * 1024
const HEAD_BYTES = 64 * 1024

/**
 * Lists a folder, sorted by name. Throws `invalid_request` with reason `bad_folder`, `bad_script`, or
 * `recording_twice` when two files would be the same model of the same API.
 */
export async function readFolder(folder: string): Promise<Folder> {
  const files = await filesIn(folder)
  const recordings: Recording[] = []
  const scripts = new Map<string, Script>()
  for (const file of files) {
    const path = join(folder, file)
    if (file.endsWith(SCRIPT_ENDING)) {
      scripts.set(file.slice(0, -SCRIPT_ENDING.length), parseScript(await readFile(path, 'utf8'), path))
      continue
    }
    const ending = endings.find((end) => file.endsWith(end))
    if (!ending) continue
    const recording = {
      name: file.slice(0, -ending.length),
      file: path,
      ending,
      ...recognise(ending, await head(path)),
    }
    const twin = recordings.find(({ name, kind }) => name === recording.name && kind === recording.kind)
    if (twin) {
      throw new RunletError('invalid_request', {
        reason: 'recording_twice',
        message: `${twin.file} and ${path} would both be the model ${recording.name}; rename one of them`,
      })
    }
    recordings.push(recording)
  }
  return { recordings, scripts }
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(join(folder, '/').length).replaceAll('\\', '/'))
      .toSorted()
  } catch (cause) {
    throw new RunletError('invalid_request', {
      reason: 'bad_folder',
      message: `${folder} cannot be read as a folder of recordings; give an existing folder`,
      cause,
    })
  }
}

async function head(path: string): Promise<string> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

/** The API whose mark comes first: an answer may quote another's. */
function recognise(ending: RecordingEnding, start: string): Pick<Recording, 'framing' | 'kind'> {
  const text = ending === '.timed.ndjson' ? timedHead(start) : start
  const found = apis
    .map((api) => ({ api, at: text.search(api.mark) }))
    .filter(({ at }) => at >= 0)
    .toSorted((a, b) => a.at - b.at)[0]?.api
  const lines = ending === '.ndjson' || (ending === '.timed.ndjson' && /^\s*\{/.test(text))
  return { framing: found?.framing ?? (lines ? 'lines' : 'sse'), kind: found?.kind }
}

function timedHead(start: string): string {
  const complete = start.slice(0, start.lastIndexOf('\n') + 1)
  return Buffer.concat(parseTimed(complete, 'a recording').map(({ bytes }) => bytes)).toString()
}

/** Reads a recording as a body. Throws `invalid_request` with reason `recording_too_large` or `bad_recording`. */
export async function loadRecording(recording: Recording, api: Api, pace: Pace): Promise<Reel> {
  const { file, ending, framing } = recording
  if ((await stat(file)).size > MAX_BYTES) {
    throw new RunletError('invalid_request', {
      reason: 'recording_too_large',
      message: `${file} is larger than ${MAX_BYTES} bytes, which is the most that the simulator plays`,
    })
  }
  if (ending !== '.timed.ndjson') {
    const bytes = await readFile(file)
    return pacedReel(framing, ending === '.chunks.txt' ? framed(bytes, api) : bytes, pace.tokenMs)
  }
  const chunks = parseTimed(await readFile(file, 'utf8'), file)
  const bytes = Buffer.concat(chunks.map((chunk) => chunk.bytes))
  if (!pace.recorded) return pacedReel(framing, bytes, pace.tokenMs)
  let end = 0
  return {
    bytes,
    framing,
    ends: chunks.map((chunk) => (end += chunk.bytes.length)),
    due: chunks.map(({ at }) => at),
  }
}

function framed(payloads: Buffer, api: Api): Buffer {
  const frames = payloads
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => api.frame(line))
  return Buffer.from(frames.join('') + api.trailer)
}
