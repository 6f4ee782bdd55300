import { once } from 'node:events';
import { createServer } from 'node:http';
import OpenAI from 'openai';
import { eventFrame, sseHeaders } from './event.js';
import { listen } from './listen.js';
/** The official SDK, and one `res.write` per chunk: what its examples show. */
export async function startOpenaiSdk({ sourceUrl }) {
    const client = new OpenAI({ apiKey: 'none', baseURL: sourceUrl, maxRetries: 0 });
    async function relay(res) {
        const gone = new AbortController();
        res.on('close', () => gone.abort());
        const chunks = await client.chat.completions.create({ model: 'bench', stream: true, messages: [{ role: 'user', content: 'Go on.' }] }, { signal: gone.signal });
        res.writeHead(200, sseHeaders);
        let seq = 0;
        for await (const chunk of chunks) {
            const text = chunk.choices[0]?.delta.content;
            if (text && !res.write(eventFrame(++seq, text)))
                await once(res, 'drain', { signal: gone.signal });
        }
        res.end();
    }
    const server = createServer((req, res) => {
        req.resume();
        relay(res).catch(() => res.destroy());
    });
    return { port: await listen(server) };
}
