/** The frame that every relay written by hand makes of a token: the same fields that Runlet sends. */
export function eventFrame(seq, text) {
    const event = { type: 'text.delta', ts: Date.now(), seq, step: 1, text };
    return `id: 1-${seq}\nevent: text.delta\ndata: ${JSON.stringify(event)}\n\n`;
}
export const sseHeaders = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };
