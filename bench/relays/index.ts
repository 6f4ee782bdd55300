import * as dialects from './dialects.ts'
import type { Relay } from './relay.ts'

/** Every server that relays, by the name that the command line and child processes call it. */
export const relays = {
  pipe: {
    title: 'byte pipe, nothing read',
    role: 'limit',
    dialect: dialects.openaiChat,
    load: async () => (await import('./pipe.ts')).startPipe,
  },
  hand: {
    title: 'hand relay on node:http',
    role: 'baseline',
    dialect: dialects.events,
    load: async () => (await import('./hand.ts')).startHandRelay,
  },
  'openai-sdk': {
    title: 'openai SDK + res.write',
    role: 'peer',
    dialect: dialects.events,
    load: async () => (await import('./openai-sdk.ts')).startOpenaiSdk,
  },
  'ai-sdk': {
    title: 'AI SDK, UI message stream',
    role: 'peer',
    dialect: dialects.uiMessage,
    load: async () => (await import('./ai-sdk.ts')).startAiSdk,
  },
  'runlet-memory': {
    title: 'Runlet, log in memory',
    role: 'runlet',
    dialect: dialects.runlet,
    detached: true,
    load: async () => (await import('./runlet.ts')).startRunlet('memory'),
  },
  'runlet-os': {
    title: 'Runlet, SQLite, os',
    role: 'runlet',
    dialect: dialects.runlet,
    detached: true,
    load: async () => (await import('./runlet.ts')).startRunlet('os'),
  },
  'runlet-sync': {
    title: 'Runlet, SQLite, sync',
    role: 'runlet',
    dialect: dialects.runlet,
    detached: true,
    load: async () => (await import('./runlet.ts')).startRunlet('sync'),
  },
} as const satisfies Record<string, Relay>

export type RelayName = keyof typeof relays
