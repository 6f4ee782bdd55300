import type { Load } from './append.ts'
import type { Job } from './job.ts'

const append = () => import('./append.ts')
const micro = () => import('./micro.ts')
const parse = () => import('./parse.ts')
const resume = () => import('./resume.ts')

/** Runs that write at once, and what each adds at a time. */
export const appendLoads = {
  single: { producers: 1, perBatch: 1 },
  many: { producers: 100, perBatch: 1 },
  bursts: { producers: 32, perBatch: 16 },
} as const satisfies Record<string, Load>

/** Every job, by the name that child processes call it; loaded where it is done. */
export const jobs = {
  'parse.event.hand': async () => (await parse()).hand('event'),
  'parse.event.openai-sdk': async () => (await parse()).openaiSdk('event'),
  'parse.event.ai-sdk': async () => (await parse()).aiSdk('event'),
  'parse.event.runlet': async () => (await parse()).runlet('event'),
  'parse.burst.hand': async () => (await parse()).hand('burst'),
  'parse.burst.openai-sdk': async () => (await parse()).openaiSdk('burst'),
  'parse.burst.ai-sdk': async () => (await parse()).aiSdk('burst'),
  'parse.burst.runlet': async () => (await parse()).runlet('burst'),

  'append.single.file': async () => (await append()).file(appendLoads.single, true),
  'append.single.sync': async () => (await append()).runlet(appendLoads.single, 'sync'),
  'append.single.os': async () => (await append()).runlet(appendLoads.single, 'os'),
  'append.single.memory': async () => (await append()).runlet(appendLoads.single, 'memory'),
  'append.many.file': async () => (await append()).file(appendLoads.many, true),
  'append.many.sync': async () => (await append()).runlet(appendLoads.many, 'sync'),
  'append.many.os': async () => (await append()).runlet(appendLoads.many, 'os'),
  'append.many.memory': async () => (await append()).runlet(appendLoads.many, 'memory'),
  'append.bursts.file': async () => (await append()).file(appendLoads.bursts, true),
  'append.bursts.sync': async () => (await append()).runlet(appendLoads.bursts, 'sync'),
  'append.bursts.os': async () => (await append()).runlet(appendLoads.bursts, 'os'),
  'append.bursts.memory': async () => (await append()).runlet(appendLoads.bursts, 'memory'),

  'resume.copy': async () => (await resume()).copy,
  'resume.memory.1': async () => (await resume()).inMemory(1),
  'resume.memory.16': async () => (await resume()).inMemory(16),
  'resume.sqlite.1': async () => (await resume()).stored(1),
  'resume.sqlite.16': async () => (await resume()).stored(16),

  'micro.sse': async () => (await micro()).sseFrame('ascii'),
  'micro.sse.mixed': async () => (await micro()).sseFrame('mixed'),
  'micro.ndjson': async () => (await micro()).ndjsonLine('ascii'),
  'micro.ndjson.mixed': async () => (await micro()).ndjsonLine('mixed'),
  'micro.stringify': async () => (await micro()).stringify,
  'micro.normalise': async () => (await micro()).normalise,
  'micro.json-parse': async () => (await micro()).jsonParse,
  'micro.classify': async () => (await micro()).classify,
  'micro.typed-error': async () => (await micro()).typedError,
  'micro.bare-error': async () => (await micro()).bareError,
  'micro.run-id': async () => (await micro()).runId,
  'micro.fold': async () => (await micro()).folding,
  'micro.metrics': async () => (await micro()).metrics(),
  'micro.metrics.single': async () => (await micro()).metrics(1),
} as const satisfies Record<string, () => Promise<Job>>

export type JobName = keyof typeof jobs
