import { createAdaptorServer } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { Hono, type Context } from 'hono'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { RunEvent, StartEvent } from '../../src/core/event.ts'
import { createRuntime } from '../../src/engine/runtime.ts'
import { nodeHandler, sseHandler, type RunHandler } from '../../src/http.ts'
import { memoryLog } from '../../src/logs/memory.ts'
import { forgetful } from '../relays/forgetful.ts'
import { listen } from '../relays/listen.ts'
import { EVENT_TEXT, type FanoutServer } from './fanout.ts'
import { inTurns } from './turns.ts'

/**
 * `sseHandler` as each framework would mount it. Events go into a log in memory without an engine, as those of the
 * frameworks' own ways come out of a loop: what is measured is what lies between the two and the socket.
 */
async function startHandler(serve: (handler: RunHandler) => Promise<number>): Promise<FanoutServer> {
  const log = forgetful(memoryLog())
  const runtime = createRuntime({ providers: {}, log })
  let streams = 0
  return {
    port: await serve(sseHandler(runtime, () => ({ prompt: 'Go on.' }))),
    close: () => runtime.close(),
    async open() {
      const start = { ...startEvent, run_id: `run_${streams++}` }
      await log.create({ start, events: begun, request: { messages: [], prompt: '', options: {}, tools: [] } })
      return {
        path: `/?run=${start.run_id}`,
        async produce(events, perBatch) {
          await inTurns(events, perBatch, async (from, to) => {
            await log.append(
              start.run_id,
              1,
              Array.from({ length: to - from }, () => ({ type: 'text.delta', step: 1, text: EVENT_TEXT })),
            )
          })
          await log.append(start.run_id, 1, ended)
        },
      }
    },
  }
}

const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2, accuracy: 'exact' } as const
const startEvent: StartEvent = {
  type: 'start',
  trace_id: 'trace_bench',
  request_id: 'req_bench',
  run_id: 'run_bench',
  session_id: 'ses_bench',
  provider: 'bench',
  model: 'bench',
  durability: 'memory',
  capabilities: [],
}
const begun: readonly RunEvent[] = [
  { type: 'turn.start', turn: 1, kind: 'prompt', message: { role: 'user', content: 'Go on.' } },
  { type: 'step.start', step: 1, attempt: 1 },
]
const ended: readonly RunEvent[] = [
  { type: 'step.end', step: 1, finish_reason: 'stop', usage },
  { type: 'turn.end', turn: 1, reason: 'stop' },
  { type: 'finish', usage, finish_reason: 'stop' },
]

export const startOnNode = () => startHandler((handler) => listen(createServer(nodeHandler(handler))))

export const startInExpress = () =>
  startHandler((handler) => listen(createServer(express().get('/', nodeHandler(handler)))))

export const startInFastify = () =>
  startHandler(async (handler) => {
    const app = fastify()
    const onNode = nodeHandler(handler)
    app.get('/', (request, reply) => {
      reply.hijack()
      onNode(request.raw, reply.raw)
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as AddressInfo).port
  })

export const startInHono = () => startHono((handler, c) => handler(c.req.raw))

export const startInHonoOnNode = () => startHono((handler, c) => handler(c.req.raw, c.env as object))

function startHono(call: (handler: RunHandler, c: Context) => Promise<Response>): Promise<FanoutServer> {
  return startHandler((handler) => {
    const app = new Hono()
    app.get('/', (c) => call(handler, c))
    return listen(createAdaptorServer({ fetch: app.fetch }) as Server)
  })
}
