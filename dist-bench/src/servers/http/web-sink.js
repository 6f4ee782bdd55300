import { RunletError } from '../../core/error.js';
/** A body for `new Response(body)`, filled through the sink. Works wherever there are web streams. */
export function webSink(maxPendingBytes) {
    let wake;
    let onClose;
    let closed = false;
    let controller;
    const close = () => {
        if (closed)
            return;
        closed = true;
        wake?.();
        onClose?.();
    };
    const pending = () => (closed ? 0 : maxPendingBytes - (controller.desiredSize ?? maxPendingBytes));
    const body = new ReadableStream({
        start(made) {
            controller = made;
        },
        pull() {
            wake?.();
            wake = undefined;
        },
        cancel: close,
    }, new ByteLengthQueuingStrategy({ highWaterMark: maxPendingBytes }));
    const sink = {
        get pending() {
            return pending();
        },
        room: (bytes) => pending() === 0 || pending() + bytes <= maxPendingBytes,
        write(bytes) {
            if (!closed)
                controller.enqueue(bytes);
        },
        drained: () => new Promise((resolve) => {
            if (closed || pending() === 0)
                resolve();
            else
                wake = resolve;
        }),
        end() {
            if (!closed)
                controller.close();
            close();
        },
        destroy() {
            if (closed)
                return;
            controller.error(new RunletError('timeout', {
                reason: 'slow_consumer',
                message: 'the reader of this stream took nothing for too long; read on from the last cursor',
            }));
            close();
        },
        onClose(callback) {
            onClose = callback;
        },
    };
    return { sink, body };
}
