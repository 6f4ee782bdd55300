import * as dialects from './dialects.js';
/** Every server that relays, by the name that the command line and child processes call it. */
export const relays = {
    pipe: {
        title: 'byte pipe, nothing read',
        role: 'limit',
        dialect: dialects.openaiChat,
        load: async () => (await import('./pipe.js')).startPipe,
    },
    hand: {
        title: 'hand relay on node:http',
        role: 'baseline',
        dialect: dialects.events,
        load: async () => (await import('./hand.js')).startHandRelay,
    },
    'openai-sdk': {
        title: 'openai SDK + res.write',
        role: 'peer',
        dialect: dialects.events,
        load: async () => (await import('./openai-sdk.js')).startOpenaiSdk,
    },
    'ai-sdk': {
        title: 'AI SDK, UI message stream',
        role: 'peer',
        dialect: dialects.uiMessage,
        load: async () => (await import('./ai-sdk.js')).startAiSdk,
    },
    'runlet-memory': {
        title: 'Runlet, log in memory',
        role: 'runlet',
        dialect: dialects.runlet,
        load: async () => (await import('./runlet.js')).startRunlet('memory'),
    },
    'runlet-os': {
        title: 'Runlet, SQLite, os',
        role: 'runlet',
        dialect: dialects.runlet,
        load: async () => (await import('./runlet.js')).startRunlet('os'),
    },
    'runlet-sync': {
        title: 'Runlet, SQLite, sync',
        role: 'runlet',
        dialect: dialects.runlet,
        load: async () => (await import('./runlet.js')).startRunlet('sync'),
    },
};
