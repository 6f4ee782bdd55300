import { describe, expect, test } from 'vitest'
import type { RunEvent } from '../../src/core/event.ts'
import type { Log } from '../../src/core/log.ts'
import type { Tool } from '../../src/core/tool.ts'
import { createRuntime, type Runtime, type RuntimeOptions } from '../../src/engine/runtime.ts'
import { memoryLog, sharedMemory } from '../../src/logs/memory.ts'
import { says, scriptedProvider, type Script, type ScriptLine } from '../../src/testing/scripted-provider.ts'
import { testStores } from '../logs/stores.ts'
import { eventsOf } from './lab.ts'

const begun: ScriptLine = [{ type: 'start', model: 'scripted' }]
const half: ScriptLine = [{ type: 'text', text: 'half' }]
const call: ScriptLine = [{ type: 'tool_call', call_id: 'c1', name: 'act', input: {} }]

function runtimeOn(log: Log, scripts: readonly Script[], options: Partial<RuntimeOptions> = {}) {
  const provider = scriptedProvider(scripts)
  const runtime = createRuntime({ providers: { lab: provider }, defaultModel: 'lab/scripted', log, ...options })
  return { runtime, provider }
}

/** Follows a run until it has said something of a type. */
async function reached(runtime: Runtime, run: string, type: RunEvent['type']): Promise<void> {
  for await (const record of (await runtime.find(run)).read()) {
    if (record.type === 'batch' && record.entries.some(({ event }) => event.type === type)) return
  }
}

/** The types of a run's events after `start`, `turn.start` and `step.start`. */
async function storyOf(runtime: Runtime, run: string): Promise<string[]> {
  return (await eventsOf(await runtime.find(run))).slice(3).map((event) => {
    if (event.type === 'text.delta') return event.text
    if (event.type === 'error') return event.error.reason
    if (event.type === 'step.reset') return `step.reset ${event.step}.${event.attempt} ${event.reason}`
    return event.type
  })
}

describe('the runs of a process that died', () => {
  test('end with owner_lost, where they did not ask for another attempt', async () => {
    const memory = sharedMemory()
    const dying = memoryLog({ memory })
    const first = runtimeOn(dying, [[begun, half, 'hang']])
    const run = await first.runtime.start({ prompt: 'x' })
    await reached(first.runtime, run.id, 'text.delta')
    await dying.close()
    const next = runtimeOn(memoryLog({ memory }), [says('never')])
    expect((await next.runtime.recover()).map(({ run_id, status }) => [run_id, status])).toEqual([[run.id, 'failed']])
    expect(await storyOf(next.runtime, run.id)).toEqual(['half', 'owner_lost'])
    expect(next.provider.requests).toEqual([])
  })

  test('go on where they asked for it: what the open step said is void', async () => {
    const memory = sharedMemory()
    const dying = memoryLog({ memory })
    const first = runtimeOn(dying, [says('before'), [begun, half, 'hang']])
    const before = await first.runtime.start({ prompt: 'hello' })
    await before.result()
    const run = await first.runtime.start({
      prompt: 'x',
      sessionId: before.sessionId,
      onInterrupt: 'restart',
      system: 'Be brief.',
    })
    await reached(first.runtime, run.id, 'text.delta')
    await dying.close()
    const next = runtimeOn(memoryLog({ memory }), [says('whole')])
    expect((await next.runtime.recover()).map(({ status }) => status)).toEqual(['running'])
    expect(await storyOf(next.runtime, run.id)).toEqual([
      'half',
      'step.reset 1.2 owner_lost',
      'whole',
      'step.end',
      'turn.end',
      'finish',
    ])
    expect(next.provider.requests[0]?.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'hello' },
      { role: 'assistant', parts: [{ type: 'text', text: 'before' }] },
      { role: 'user', content: 'x' },
    ])
    expect(await (await next.runtime.find(run.id)).result()).toMatchObject({ parts: [{ type: 'text', text: 'whole' }] })
  })

  const tool = (idempotent: boolean): Tool => ({
    name: 'act',
    description: 'acts',
    parameters: { type: 'object' },
    idempotent,
    run: () => new Promise(() => {}),
  })
  const cases: [name: string, idempotent: boolean, story: string[]][] = [
    ['a tool that must not run twice', false, ['tool.call', 'owner_lost']],
    ['an idempotent tool', true, ['tool.call', 'step.reset 1.2 owner_lost', 'whole', 'step.end', 'turn.end', 'finish']],
  ]
  for (const [name, idempotent, story] of cases) {
    test(`in the middle of ${name}`, async () => {
      const memory = sharedMemory()
      const dying = memoryLog({ memory })
      const tools = [tool(idempotent)]
      const first = runtimeOn(dying, [[begun, call, [{ type: 'done', reason: 'tool_calls' }]]], { tools })
      const run = await first.runtime.start({ prompt: 'x', tools: ['act'], onInterrupt: 'restart' })
      await reached(first.runtime, run.id, 'tool.call')
      await dying.close()
      const next = runtimeOn(memoryLog({ memory }), [says('whole')], { tools })
      await next.runtime.recover()
      expect(await storyOf(next.runtime, run.id)).toEqual(story)
    })
  }

  test('end with owner_lost where their provider is not known', async () => {
    const memory = sharedMemory()
    const dying = memoryLog({ memory })
    const first = runtimeOn(dying, [[begun, half, 'hang']])
    const run = await first.runtime.start({ prompt: 'x', onInterrupt: 'restart' })
    await reached(first.runtime, run.id, 'text.delta')
    await dying.close()
    const next = createRuntime({ providers: {}, log: memoryLog({ memory }) })
    await next.recover()
    expect(await storyOf(next, run.id)).toEqual(['half', 'owner_lost'])
  })

  test('are left alone by a process that does not restart any', async () => {
    const memory = sharedMemory()
    const dying = memoryLog({ memory })
    const first = runtimeOn(dying, [[begun, half, 'hang']])
    const run = await first.runtime.start({ prompt: 'x', onInterrupt: 'restart' })
    await reached(first.runtime, run.id, 'text.delta')
    await dying.close()
    const passing = runtimeOn(memoryLog({ memory }), [says('never')], { restart: false })
    expect(await passing.runtime.recover()).toEqual([])
    expect(await (await passing.runtime.find(run.id)).header()).toMatchObject({ status: 'running' })
  })

  // The last entries of a run come in appends of their own; a process may die between any two of them.
  const whole: RunEvent[] = [
    { type: 'text.delta', step: 1, text: 'all' },
    { type: 'step.end', step: 1, finish_reason: 'length' },
    { type: 'turn.end', turn: 1, reason: 'length' },
  ]
  for (const written of [2, 3]) {
    test(`are given their true end where only that was missing (${whole[written - 1]!.type} is there)`, async () => {
      const memory = sharedMemory()
      const dying = memoryLog({ memory })
      const first = runtimeOn(dying, [[begun, 'hang']])
      const run = await first.runtime.start({ prompt: 'x' })
      const { cursor } = await run.header()
      await dying.append(run.id, cursor.epoch, whole.slice(0, written))
      await dying.close()
      const next = runtimeOn(memoryLog({ memory }), [says('never')])
      expect(await next.runtime.recover()).toMatchObject([{ status: 'completed', finish_reason: 'length' }])
      expect(await storyOf(next.runtime, run.id)).toEqual(['all', 'step.end', 'turn.end', 'finish'])
    })
  }
})

test('a recovery that failed is tried again by the next start', async () => {
  const log = memoryLog()
  let failing = true
  const orphans = () => (failing ? Promise.reject(new Error('for now')) : log.orphans())
  const { runtime } = runtimeOn({ ...log, orphans }, [says('yes')])
  await expect(runtime.start({ prompt: 'x' })).rejects.toThrow('for now')
  failing = false
  expect(await (await runtime.start({ prompt: 'x' })).result()).toMatchObject({ parts: [{ text: 'yes' }] })
})

describe('a process that stops in good order', () => {
  const stores = testStores()

  test('leaves what may be done again to the next one, and ends the rest', async () => {
    const place = stores.place()
    const first = runtimeOn(await stores.open(place), [[begun, half, 'hang']])
    const again = await first.runtime.start({ prompt: 'x', onInterrupt: 'restart' })
    const once = await first.runtime.start({ prompt: 'x' })
    for (const { id } of [again, once]) await reached(first.runtime, id, 'text.delta')
    await first.runtime.close()

    const next = runtimeOn(await stores.open(place), [says('whole')])
    await next.runtime.recover()
    expect(await storyOf(next.runtime, once.id)).toEqual(['half', 'shutdown'])
    expect((await storyOf(next.runtime, again.id)).slice(-3)).toEqual(['step.end', 'turn.end', 'finish'])
    await next.runtime.close()
  })
})
