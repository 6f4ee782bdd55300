import { connect } from 'node:net';
const OK = 'HTTP/1.1 200';
/** How a chunked answer ends, and how no chunk of ours can: a chunk of events begins with no line end. */
const LAST_CHUNK = '0\r\n\r\n';
/** Calls of `ask` may not overlap. */
export function openLine(port) {
    let reader;
    /** The first bytes of the answer until they are judged, then undefined. */
    let head;
    let tail = '';
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    function fail(error) {
        const failed = reader;
        reader = undefined;
        socket.destroy();
        failed?.onFailure(error);
    }
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the connection was closed before the end of the answer')));
    socket.on('data', (chunk) => {
        if (!reader)
            return;
        if (head !== undefined) {
            head += chunk.toString('latin1', 0, OK.length);
            if (!head.startsWith(OK))
                return fail(new Error(`the server answered: ${chunk.toString('latin1', 0, 500)}`));
            head = undefined;
        }
        reader.onBytes(chunk);
        tail = (tail + chunk.toString('latin1', Math.max(0, chunk.length - LAST_CHUNK.length))).slice(-LAST_CHUNK.length);
        if (tail !== LAST_CHUNK)
            return;
        const ended = reader;
        reader = undefined;
        ended.onEnd();
    });
    return {
        ask(request, next) {
            reader = next;
            head = '';
            tail = '';
            socket.write(request);
        },
        close() {
            reader = undefined;
            socket.destroy();
        },
    };
}
/** A request as bytes. */
export function requestBytes({ method, path, headers = {}, body = '' }, port) {
    const fields = Object.entries({
        host: `127.0.0.1:${port}`,
        'content-length': String(Buffer.byteLength(body)),
        ...headers,
    });
    return Buffer.from(`${method} ${path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`);
}
