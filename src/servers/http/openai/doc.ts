import type { RouteDoc } from '../openapi/doc.ts'
import { runHeaders } from '../runs/start-doc.ts'
import { chatSchema } from './body.ts'

const head = {
  id: 'chatcmpl-0192f3c1-7b1e-7c3a-9d2e-5f6a7b8c9d0e',
  created: 1_705_314_600,
  model: 'openai/gpt-5-mini',
}

const chunk = (delta: object, finish_reason: string | null) =>
  JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] })

/** Of `POST /v1/chat/completions`. */
export const chatDoc: RouteDoc = {
  summary: 'Answer a conversation, as OpenAI does',
  description:
    'Chat Completions for clients of OpenAI. The tools are the caller’s own: their calls end the answer. The run is ' +
    'cancelled when the connection closes before its end, unless there is an `Idempotency-Key` or `X-Runlet-Keep: 1`; ' +
    'a kept run can be read on from `/v1/runs/{id}/events?format=openai-chat`.',
  headers: {
    'Idempotency-Key': {
      description: '1 to 255 visible ASCII characters. The same key with the same body finds the same run.',
      example: '8e03978e-40d5-43e8-bc93-6894a57f9324',
    },
    'Last-Event-ID': {
      description: 'With a repeated key: the id of the last chunk, to read on from.',
      example: '1-42',
    },
    'X-Runlet-Keep': { description: '`1`: the run goes on when this connection closes.' },
  },
  body: {
    'application/json': {
      schema: chatSchema,
      example: { model: head.model, messages: [{ role: 'user', content: 'What time is it?' }], stream: true },
    },
  },
  answers: {
    200: {
      description: 'The answer, whole or in chunks.',
      headers: runHeaders,
      content: {
        'application/json': {
          example: {
            ...head,
            object: 'chat.completion',
            choices: [
              {
                index: 0,
                logprobs: null,
                message: { role: 'assistant', content: 'It is noon.', refusal: null },
                finish_reason: 'stop',
              },
            ],
            usage: { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 },
          },
        },
        'text/event-stream': {
          example: `id: 1-4\ndata: ${chunk({ content: 'It is ' }, null)}\n\nid: 1-8\ndata: ${chunk({}, 'stop')}\n\nid: 1-8\ndata: [DONE]\n\n`,
        },
      },
    },
  },
  problems: {
    404: 'There is no such model.',
    409: 'The run was cancelled.',
    422: 'The idempotency key belongs to another request.',
    429: 'The provider has no room, or no credit.',
  },
}
