import { countMarks } from '../mark.js';
import { openLine, requestBytes } from './line.js';
/** Asks again and again, on as many connections as runs, and counts. */
export function startFlood(options) {
    const { port, ask, tokens, runs } = options;
    const request = requestBytes(ask, port);
    let received = 0;
    let bytes = 0;
    let answers = 0;
    let failure;
    let stopping = false;
    const lines = Array.from({ length: runs }, () => openLine(port));
    const ends = lines.map((line) => new Promise((resolve) => askOn(line, resolve)));
    function askOn(line, over) {
        if (stopping)
            return over();
        let marks = 0;
        line.ask(request, {
            onBytes(chunk) {
                const more = countMarks(chunk);
                marks += more;
                received += more;
                bytes += chunk.length;
            },
            onEnd() {
                answers++;
                if (marks !== tokens)
                    failure ??= `an answer had ${marks} tokens instead of ${tokens}`;
                askOn(line, over);
            },
            onFailure(error) {
                failure ??= error.message;
                over();
            },
        });
    }
    return {
        count: () => ({ tokens: received, bytes, answers, ...(failure === undefined ? {} : { failure }) }),
        async stop() {
            stopping = true;
            await Promise.all(ends);
            for (const line of lines)
                line.close();
        },
    };
}
