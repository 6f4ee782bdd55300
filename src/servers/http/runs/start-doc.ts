import { z } from 'zod'
import { startedSchema } from '../openapi/answers.ts'
import type { Parameters, RouteDoc } from '../openapi/doc.ts'
import { startSchema } from './start-body.ts'

/** What chooses how a stream is spelled. */
export const spellingDoc: Parameters = {
  format: { description: 'How entries are spelled. Default: `gai`.', example: 'gai' },
  compact: {
    description: 'The short form of the entries, or the full one. Default: short as SSE, full as NDJSON.',
    schema: z.enum(['1', '0', 'true', 'false']),
  },
  include_usage: {
    description: 'For `openai-chat`: tell the usage at the end. Default: no.',
    schema: z.enum(['1', '0', 'true', 'false']),
  },
}

/** The two framings of a stream. */
export const streamContent = {
  'text/event-stream': {
    example:
      'id: 1-4\nevent: text.delta\ndata: {"type":"text.delta","ts":1705314600012,"seq":4,"step":1,"text":"It is "}\n\n',
  },
  'application/x-ndjson': {
    example: '{"type":"text.delta","ts":1705314600012,"seq":4,"step":1,"text":"It is "}\n',
  },
}

/** What an answer tells of the run that it is about. */
export const runHeaders: Parameters = {
  'X-Run-Id': { description: 'The run.' },
  Location: { description: 'Where the run is, as a path.' },
  'Idempotency-Replayed': { description: '`true`: the run was there before, and this request only found it.' },
  'X-Unknown-Members': { description: 'Members of the body that nobody here knows, and that were ignored.' },
}

/** Of `POST /v1/runs`. */
export const startDoc: RouteDoc = {
  summary: 'Start a run',
  description:
    'Begins one answer, which lives on whether or not anyone reads it. With `Accept: text/event-stream` or ' +
    '`application/x-ndjson` the answer is the run itself, as it goes on. A body of `application/x-ndjson` may go on ' +
    'while the answer streams: its first line is this object, each further one an `Input`.',
  query: spellingDoc,
  headers: {
    'Idempotency-Key': {
      description: '1 to 255 visible ASCII characters. The same key with the same body finds the same run.',
      example: '8e03978e-40d5-43e8-bc93-6894a57f9324',
    },
    'Last-Event-ID': { description: 'With a repeated key: the cursor to read on from.', example: '1-42' },
    Prefer: { description: '`respond-async`: do not stream.' },
    'X-Request-Id': { description: 'Becomes the id of the request, 1 to 128 visible ASCII characters.' },
  },
  body: {
    'application/json': { schema: startSchema, example: { model: 'openai/gpt-5-mini', prompt: 'What time is it?' } },
    'application/x-ndjson': {
      example: '{"prompt":"Write a poem."}\n{"type":"steer","text":"Make it short."}\n',
    },
  },
  answers: {
    200: { description: 'The run as it goes on, until its end.', headers: runHeaders, content: streamContent },
    202: {
      description: 'The run has begun.',
      headers: runHeaders,
      content: {
        'application/json': {
          schema: startedSchema,
          example: {
            run_id: '0192f3c1-7b1e-7c3a-9d2e-5f6a7b8c9d0e',
            session_id: '0192f3c1-7b1e-7c3a-9d2e-61d7c0a1b2c3',
            status: 'running',
            cursor: '1-3',
          },
        },
      },
    },
    204: { description: 'A repeated request has nothing left to read: the run has ended.' },
  },
  problems: {
    404: 'There is no such model or session.',
    406: 'It cannot be had as what `Accept` asks for.',
    409: 'The session has a run going on.',
    422: 'The idempotency key belongs to another request.',
  },
}
