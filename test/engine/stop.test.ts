import { describe, expect, test } from 'vitest'
import { RunletError } from '../../src/core/error.ts'
import type { Log } from '../../src/core/log.ts'
import { textOf } from '../../src/core/message.ts'
import type { Tool } from '../../src/core/tool.ts'
import { createRuntime } from '../../src/engine/runtime.ts'
import { memoryLog } from '../../src/logs/memory.ts'
import { says, scriptedProvider, type ScriptLine } from '../../src/testing/scripted-provider.ts'
import { entriesOf, eventsOf, gate, lab, storyOf } from './lab.ts'

const begun: ScriptLine = [{ type: 'start', model: 'm' }]
const part: ScriptLine = [{ type: 'text', text: 'half' }]

function slowTool(run: Tool['run']): Tool {
  return { name: 'slow', description: '', parameters: { type: 'object' }, run }
}
const callsSlow: ScriptLine[] = [
  begun,
  [{ type: 'tool_call', call_id: 'c', name: 'slow', input: {} }],
  [{ type: 'done', reason: 'tool_calls' }],
]

describe('cancelling', () => {
  const moments: [name: string, script: ScriptLine[]][] = [
    ['before the provider answers', ['hang']],
    ['before the first content', [begun, 'hang']],
    ['in mid-stream', [begun, part, 'hang']],
    ['while waiting to try again', [{ throw: new RunletError('overloaded', { message: 'busy' }) }]],
  ]
  for (const [name, script] of moments) {
    test(`${name} ends the run as cancelled, which is no error, though the provider does not react`, async () => {
      const { runtime, clock } = lab([script, says('next')])
      const run = await runtime.start({ prompt: 'x' })
      await clock.advance(0)
      const header = await run.cancel()
      expect(header).toMatchObject({ status: 'cancelled', finish_reason: 'cancelled' })
      expect((await eventsOf(run)).at(-1)).toMatchObject({
        type: 'finish',
        finish_reason: 'cancelled',
        usage: { accuracy: 'estimated' },
      })
      const next = await runtime.start({ prompt: 'again', sessionId: run.sessionId })
      expect(textOf(await next.result())).toBe('next')
    })
  }

  test('keeps the partial text, and result() gives it', async () => {
    const { runtime, clock } = lab([[begun, part, 'hang']])
    const run = await runtime.start({ prompt: 'x' })
    await clock.advance(0)
    await run.cancel()
    expect(textOf(await run.result())).toBe('half')
  })

  test('is idempotent: many at once and one more later give one ending, and a finished run stays finished', async () => {
    const { runtime, clock } = lab([[begun, part, 'hang'], says('done')])
    const run = await runtime.start({ prompt: 'x' })
    await clock.advance(0)
    const headers = await Promise.all(Array.from({ length: 100 }, () => runtime.cancel(run.id)))
    headers.push(await runtime.cancel(run.id))
    expect(new Set(headers.map(({ status }) => status))).toEqual(new Set(['cancelled']))
    expect((await entriesOf(run)).filter(({ event }) => event.type === 'finish')).toHaveLength(1)

    const finished = await runtime.start({ prompt: 'y' })
    await finished.result()
    expect(await finished.cancel()).toMatchObject({ status: 'completed' })
  })

  test('of a run that is not there is an error', async () => {
    const { runtime } = lab([says('x')])
    await expect(runtime.cancel('nope')).rejects.toMatchObject({ code: 'not_found', reason: 'run_unknown' })
  })

  test('lets go of the provider: its stream is told to return', async () => {
    const forever = gate()
    const { runtime, provider, clock } = lab([[begun, { wait: forever.promise }]])
    const run = await runtime.start({ prompt: 'x' })
    await clock.advance(0)
    expect(provider.active).toBe(1)
    await run.cancel()
    await clock.advance(0)
    expect(provider.active).toBe(0)
  })

  test('in mid-tool aborts the tool and ends as soon as it lets go', async () => {
    const tool = slowTool(
      (_, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
        }),
    )
    const { runtime, clock } = lab([callsSlow], { tools: [tool] })
    const run = await runtime.start({ prompt: 'x', tools: ['slow'] })
    await clock.advance(0)
    expect(await run.cancel()).toMatchObject({ status: 'cancelled' })
    expect(await storyOf(run)).toMatchObject([{ type: 'tool.call' }, { type: 'finish', finish_reason: 'cancelled' }])
  })

  test('abandons a tool that resists after the grace, and fences what it says later', async () => {
    const late = gate<string>()
    let say: (text: string) => void = () => {}
    const tool = slowTool((_, { progress }) => {
      say = progress
      return late.promise
    })
    const { runtime, clock, diagnostics } = lab([callsSlow], { tools: [tool] })
    const run = await runtime.start({ prompt: 'x', tools: ['slow'] })
    await clock.advance(0)
    const cancelled = run.cancel()
    await clock.advance(1_499)
    expect((await run.header()).status).toBe('running')
    await clock.advance(1)
    expect(await cancelled).toMatchObject({ status: 'cancelled' })
    say('too late')
    late.open('too late')
    await clock.advance(1_000)
    expect(JSON.stringify(await eventsOf(run))).not.toContain('too late')
    expect(diagnostics).toMatchObject([{ code: 'tool_resists', run_id: run.id }])
  })
})

describe('a stall', () => {
  test('before the first content is a timeout, tried again, and given up in the end', async () => {
    const { runtime, provider, clock } = lab([[begun, 'hang']])
    const run = await runtime.start({ prompt: 'x' })
    await clock.advance(120_000 * 3 + 60_000)
    await expect(run.result()).rejects.toMatchObject({ code: 'timeout', reason: 'first_content_timeout' })
    expect(provider.requests).toHaveLength(3)
  })

  test('in mid-answer is a timeout after the idle limit, counted from the last content', async () => {
    const more = gate()
    const { runtime, clock } = lab([[begun, part, { wait: more.promise }, part, 'hang']])
    const run = await runtime.start({ prompt: 'x' })
    await clock.advance(59_999)
    more.open()
    await clock.advance(59_999)
    expect((await run.header()).status).toBe('running')
    await clock.advance(1)
    await expect(run.result()).rejects.toMatchObject({ code: 'timeout', reason: 'idle_timeout' })
  })

  test('of one call leaves no timer behind', async () => {
    const { runtime, clock } = lab([says('x')])
    await (await runtime.start({ prompt: 'x' })).result()
    expect(clock.pending).toBe(0)
  })

  test('is not seen in a long answer that keeps coming', async () => {
    const gates = Array.from({ length: 20 }, () => gate())
    const script = [
      begun,
      ...gates.flatMap(({ promise }): ScriptLine[] => [{ wait: promise }, part]),
      [{ type: 'done', reason: 'stop' }] satisfies ScriptLine,
    ]
    const { runtime, clock } = lab([script])
    const run = await runtime.start({ prompt: 'x' })
    for (const { open } of gates) {
      await clock.advance(50_000)
      open()
    }
    await clock.advance(0)
    expect(textOf(await run.result())).toBe('half'.repeat(20))
  })
})

describe('an answer without an end', () => {
  test('is stopped at a limit, with what it said', async () => {
    const flood: ScriptLine[] = [begun, ...Array.from({ length: 50 }, () => part), 'hang']
    const { runtime, provider } = lab([flood], { limits: { answerChars: 100 } })
    const story = await storyOf(await runtime.start({ prompt: 'x', onInterrupt: 'restart' }))
    expect(story.filter(({ type }) => type === 'text.delta')).toHaveLength(25)
    expect(story.at(-1)).toMatchObject({ type: 'error', error: { code: 'network', reason: 'answer_too_long' } })
    expect(provider.active).toBe(0)
  })
})

test('a message quotes what a stranger sent only in part', async () => {
  const { runtime } = lab([says('x')])
  const long = `${'x'.repeat(1_000)}\r\n\0`
  const messages = await Promise.all(
    [
      runtime.start({ prompt: 'x', model: long }),
      runtime.start({ prompt: 'x', sessionId: long }),
      runtime.start({ prompt: 'x', tools: [long] }),
      runtime.start({ prompt: 'x', callerTools: [{ name: long, description: '', parameters: { type: 'object' } }] }),
      runtime.find(long),
    ].map((asked) => asked.then(String, (error: Error) => error.message)),
  )
  for (const message of messages) {
    expect(message.length).toBeLessThan(300)
    // oxlint-disable-next-line no-control-regex
    expect(message).not.toMatch(/[\0-\x1f]/)
  }
})

describe('closing', () => {
  test('ends what is going on with an error that says so, and takes nothing new', async () => {
    const { runtime, clock } = lab([[begun, part, 'hang']])
    const run = await runtime.start({ prompt: 'x' })
    await clock.advance(0)
    const story = storyOf(run)
    await runtime.close()
    expect(await story).toMatchObject([
      { type: 'text.delta' },
      { type: 'error', error: { code: 'internal', reason: 'shutdown', temporary: true } },
    ])
    await expect(runtime.start({ prompt: 'y' })).rejects.toMatchObject({ reason: 'shutting_down' })
  })

  test('waits for a run that is just being begun, and ends it too', async () => {
    const gateOpen = gate()
    const log = memoryLog()
    const slow: Log = {
      ...log,
      async create(run) {
        const created = await log.create(run)
        await gateOpen.promise
        return created
      },
    }
    const provider = scriptedProvider([[begun, part, 'hang']])
    const runtime = createRuntime({ providers: { lab: provider }, log: slow, defaultModel: 'lab/m' })
    const start = runtime.start({ prompt: 'x' })
    await new Promise((resolve) => void setImmediate(resolve))
    const closed = runtime.close()
    gateOpen.open()
    await closed
    const { id } = await start
    expect((await log.find(id))?.header).toMatchObject({ status: 'failed', error: { reason: 'shutdown' } })
    expect(provider.active).toBe(0)
  })
})
