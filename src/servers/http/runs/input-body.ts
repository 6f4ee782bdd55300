import { z } from 'zod'
import type { JsonObject } from '../../../core/json.ts'
import type { Runtime } from '../../../engine/runtime.ts'
import { anyJson, checked, type Checked } from '../requests/checked.ts'

/** What a run can be sent, as it checks requests and as the OpenAPI document shows it. */
export const inputSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('steer'), text: z.string() }),
  z.object({ type: z.literal('follow_up'), text: z.string() }),
  z.object({
    type: z.literal('tool_result'),
    call_id: z.string().min(1),
    result: anyJson,
    is_error: z.boolean().optional(),
  }),
  z.object({ type: z.literal('cancel'), reason: z.string().max(200).optional() }),
])

/** What a client sends a run that is at work: a message, the result of a tool of its own, or the end. */
export type Input = z.infer<typeof inputSchema>

/** Checks one object. Throws `invalid_request` with reason `body_invalid`; all faults are named. */
export function readInput(json: JsonObject): Checked<Input> {
  return checked(inputSchema, json)
}

/** Hands an input on; resolves once the run's owner has it, after a cancel once the run has ended. Throws as they do. */
export async function sendInput(runtime: Pick<Runtime, 'send' | 'cancel'>, run: string, input: Input): Promise<void> {
  switch (input.type) {
    case 'cancel':
      await runtime.cancel(run, input.reason === undefined ? {} : { reason: input.reason })
      return
    case 'tool_result': {
      const { call_id, result, is_error = false } = input
      return runtime.send(run, { type: 'answer', call_id, result, is_error })
    }
    case 'steer':
    case 'follow_up':
      return runtime.send(run, input)
  }
}
