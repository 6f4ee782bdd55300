import { createServer } from 'node:http';
import { sseHeaders } from './event.js';
import { listen } from './listen.js';
import { upstream } from './upstream.js';
/** The bytes as they come, unread: what the transport alone costs. */
export async function startPipe({ sourceUrl }) {
    const ask = upstream(sourceUrl);
    const server = createServer((req, res) => {
        req.resume();
        const asking = ask((answer) => {
            res.writeHead(200, sseHeaders);
            answer.pipe(res);
        });
        res.on('close', () => asking.destroy());
    });
    return { port: await listen(server) };
}
