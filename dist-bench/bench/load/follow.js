import { micros } from '../clock.js';
import { countMarks } from '../mark.js';
import { openLine, requestBytes } from './line.js';
/** Opens readers of one stream. Resolves when each has had its first byte. */
export async function startFollow({ port, ask, readers }) {
    const request = requestBytes(ask, port);
    const lines = [];
    const events = new Uint32Array(readers);
    const open = () => new Promise((opened, failed) => ends.push(read(lines.length, opened, failed)));
    const read = (index, opened, failed) => new Promise((resolve, reject) => {
        const line = openLine(port);
        let silent = true;
        lines.push(line);
        line.ask(request, {
            onBytes(chunk) {
                if (silent)
                    opened();
                silent = false;
                events[index] += countMarks(chunk);
            },
            onEnd: resolve,
            onFailure(error) {
                failed(error);
                reject(error);
            },
        });
    });
    const ends = [];
    const openings = Array.from({ length: readers }, open);
    const ended = Promise.all(ends).then(() => {
        const endedUs = micros();
        const odd = events.findIndex((count) => count !== events[0]);
        if (odd >= 0)
            throw new Error(`reader ${odd} got ${events[odd]} events, reader 0 got ${events[0]}`);
        return { endedUs, events: events[0] };
    });
    // Whoever asks for it is told; until then a broken reader must not end the process.
    ended.catch(() => { });
    await Promise.all(openings);
    return {
        ended,
        stop() {
            for (const line of lines)
                line.close();
        },
    };
}
