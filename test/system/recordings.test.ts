/** What real servers sent, over real HTTP, through adapter, engine and log: the whole road, for every recording. */
import { resolve } from 'node:path'
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputText, type RunView } from '../../src/core/fold.ts'
import { createRuntime, type Runtime } from '../../src/engine/runtime.ts'
import { memoryLog } from '../../src/logs/memory.ts'
import { ollama } from '../../src/providers/ollama.ts'
import { openaiChat } from '../../src/providers/openai-chat.ts'
import { createSim, type Sim } from '../../src/sim/sim.ts'
import type { ExpectedAnswer } from '../../src/testing/provider-suite.ts'
import {
  chatCompleteAt,
  ndjsonCompleteAt,
  ownFixture,
  rawChat,
  rawOllama,
  sharedFixtures,
} from '../providers/recordings.ts'
import { recordedChats, recordedOllama } from '../providers/suites.ts'

interface Played {
  /** As the simulator names it, behind the name of the provider. */
  readonly model: string
  readonly expected: ExpectedAnswer
  /** Number of bytes from which on the answer is whole. */
  readonly completeAt: number
}

const recordings = [...own(), ...shared()]
let sim: Sim
let runtime: Runtime

beforeAll(async () => {
  const folders = ['test/fixtures/providers', '../shared/fixtures'].map((folder) =>
    resolve(import.meta.dirname, '../..', folder),
  )
  sim = await createSim({ dirs: folders.filter((folder) => existsSync(folder)) })
  runtime = createRuntime({
    providers: { openai: openaiChat({ baseUrl: `${sim.url}/v1` }), ollama: ollama({ host: sim.url }) },
    log: memoryLog(),
    // One model call: a recording that asks for tools would ask again and again. A cut is not tried twice.
    limits: { steps: 1, attempts: 1 },
  })
})
afterAll(async () => {
  await runtime.close()
  await sim.close()
})

describe('every recording, over HTTP', () => {
  for (const recording of recordings) {
    const { model, expected } = recording
    test(`${model} folds to what was recorded`, async () => {
      const view = await play(model)
      expect(view.error).toBeUndefined()
      expect(outputText(view)).toBe(expected.text)
      const parts = view.messages.flatMap((message) => (message.role === 'assistant' ? message.parts : []))
      const reasoning = parts.map((part) => (part.type === 'reasoning' ? part.text : '')).join('')
      expect(reasoning).toBe(expected.reasoning)
      const calls = parts.flatMap((part) => (part.type === 'tool_call' ? [{ name: part.name, input: part.input }] : []))
      expect(calls).toEqual(expected.calls)
    })

    for (const fault of ['cut', 'end', 'rst'] as const) {
      test(`${model}, broken off (${fault}), is never taken for whole, and half a call never for a call`, async () => {
        const outcomes = await Promise.all(cutsOf(recording).map((at) => playCut(model, fault, at)))
        expect(outcomes.filter(({ status }) => status !== 'failed')).toEqual([])
        expect(outcomes.filter(({ calls }) => calls > 0)).toEqual([])
        expect(outcomes.filter(({ text }) => !expected.text.startsWith(text))).toEqual([])
      })
    }
  }
})

async function play(model: string): Promise<RunView> {
  const run = await runtime.start({ model, prompt: 'play' })
  await run.result().catch(() => {})
  return run.view()
}

async function playCut(model: string, fault: 'cut' | 'end' | 'rst', at: number) {
  const suffix = fault === 'rst' ? `cut=${at},rst` : `${fault}=${at}`
  const view = await play(`${model}?${suffix}`)
  const calls = view.messages.filter((message) => message.role === 'tool').length
  return { at, status: view.status, text: outputText(view), calls }
}

/** Some places all over the stream, and each of the last before it is whole. */
function cutsOf({ completeAt }: Played): number[] {
  const spread = Array.from({ length: 12 }, (_, i) => Math.floor((i * completeAt) / 12))
  const last = Array.from({ length: 16 }, (_, i) => completeAt - 1 - i)
  return [...new Set([...spread, ...last])].filter((at) => at >= 0)
}

function own(): Played[] {
  const chats = ['text', 'reasoning', 'tools'].map((name): Played => {
    const bytes = ownFixture(`openai-chat/${name}.sse`)
    return { model: `openai/openai-chat/${name}`, expected: rawChat(bytes), completeAt: chatCompleteAt(bytes) }
  })
  const others = ['text', 'thinking', 'crlf-blank-lines'].map((name): Played => {
    const bytes = ownFixture(`ollama/${name}.ndjson`)
    return { model: `ollama/ollama/${name}`, expected: rawOllama(bytes), completeAt: ndjsonCompleteAt(bytes) }
  })
  return [...chats, ...others]
}

function shared(): Played[] {
  const folderOf = (name: string) =>
    ['openai-chat', 'openai-compat', 'ollama'].find((folder) =>
      sharedFixtures(folder).some((file) => file.name === name),
    )!
  return [...recordedChats, ...recordedOllama].flatMap((recording): Played[] => {
    const { name, bytes, expected, completeAt = bytes.length } = recording
    if ('code' in expected || name.endsWith('.json')) return []
    const folder = folderOf(name)
    const model = `${folder === 'ollama' ? 'ollama' : 'openai'}/${folder}/${name.replace(/(?:\.chunks\.txt|\.\w+)$/, '')}`
    return [{ model, expected, completeAt }]
  })
}
