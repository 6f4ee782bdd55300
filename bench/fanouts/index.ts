import type { Fanout } from './fanout.ts'

/** Every server that fans out, by the name that child processes call it. */
export const fanouts = {
  'shared-buffer': {
    title: 'shared buffer, one write per event',
    role: 'baseline',
    load: async () => (await import('./shared-buffer.ts')).startSharedBuffer,
  },
  'better-sse': {
    title: 'better-sse channel',
    role: 'peer',
    load: async () => (await import('./better-sse.ts')).startBetterSse,
  },
  'express-better-sse': {
    title: 'better-sse in Express',
    role: 'peer',
    load: async () => (await import('./better-sse.ts')).startExpressBetterSse,
  },
  'fastify-sse': {
    title: '@fastify/sse in Fastify',
    role: 'peer',
    load: async () => (await import('./fastify-sse.ts')).startFastifySse,
  },
  'handler-node': {
    title: 'Runlet handler on node:http',
    role: 'runlet',
    load: async () => (await import('./handlers.ts')).startOnNode,
  },
  'handler-express': {
    title: 'Runlet handler in Express',
    role: 'runlet',
    load: async () => (await import('./handlers.ts')).startInExpress,
  },
  'handler-fastify': {
    title: 'Runlet handler in Fastify',
    role: 'runlet',
    load: async () => (await import('./handlers.ts')).startInFastify,
  },
  'handler-hono': {
    title: 'Runlet handler in Hono, web stream',
    role: 'runlet',
    load: async () => (await import('./handlers.ts')).startInHono,
  },
  'handler-hono-node': {
    title: 'Runlet handler in Hono, given c.env',
    role: 'runlet',
    load: async () => (await import('./handlers.ts')).startInHonoOnNode,
  },
  'hono-sse': {
    title: 'Hono streamSSE',
    role: 'peer',
    load: async () => (await import('./hono-sse.ts')).startHonoSse,
  },
  runlet: {
    title: 'Runlet, log in memory',
    role: 'runlet',
    load: async () => (await import('./runlet.ts')).startInMemory,
  },
  'runlet-sync': {
    title: 'Runlet, SQLite, sync',
    role: 'runlet',
    load: async () => (await import('./runlet.ts')).startDurable,
  },
  prepared: {
    title: 'prepared bytes, writes of 64 KiB',
    role: 'baseline',
    load: async () => (await import('./prepared.ts')).startPrepared,
  },
} as const satisfies Record<string, Fanout>

export type FanoutName = keyof typeof fanouts
