import { micros } from '../clock.js';
import { stampReader } from '../mark.js';
import { percentile } from '../spread.js';
import { openLine, requestBytes } from './line.js';
/** Resolves when all runs are asked for. */
export async function startPaced({ port, ask, runs, rampMs }) {
    const request = requestBytes(ask, port);
    const lines = [];
    let delays = [];
    let alive = new Set();
    let since = micros();
    let failure;
    function open() {
        const stamps = stampReader();
        const line = openLine(port);
        lines.push(line);
        line.ask(request, {
            onBytes(chunk) {
                const now = micros();
                alive.add(line);
                stamps.push(chunk, (us) => delays.push(now - us));
            },
            onEnd: () => {
                failure ??= 'an answer without an end ended';
            },
            onFailure: (error) => {
                failure ??= error.message;
            },
        });
    }
    await new Promise((resolve) => {
        const begun = micros();
        const timer = setInterval(() => {
            const due = Math.min(runs, Math.ceil(((micros() - begun) / 1000 / rampMs) * runs));
            while (lines.length < due)
                open();
            if (due < runs)
                return;
            clearInterval(timer);
            resolve();
        }, 1);
    });
    return {
        sample() {
            const sorted = Float64Array.from(delays).toSorted();
            const now = micros();
            const sample = {
                tokens: delays.length,
                seconds: (now - since) / 1e6,
                p50: percentile(sorted, 50),
                p99: percentile(sorted, 99),
                alive: alive.size,
                ...(failure === undefined ? {} : { failure }),
            };
            delays = [];
            alive = new Set();
            since = now;
            return sample;
        },
        stop() {
            for (const line of lines)
                line.close();
        },
    };
}
