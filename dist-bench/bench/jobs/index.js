const parse = () => import('./parse.js');
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
};
