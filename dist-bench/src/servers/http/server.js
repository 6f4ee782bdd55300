import { once } from 'node:events';
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { systemClock } from '../../core/clock.js';
import { RunletError, toRunletError } from '../../core/error.js';
import { formats } from '../../formats/index.js';
import { createApp } from './app.js';
import { hostList } from './hosts.js';
import { defaultHttpLimits } from './limits.js';
import { problem } from './problem.js';
import { Readers } from './readers.js';
import { routes } from './routes.js';
/** A runtime's HTTP face. It starts nothing by itself, and leaves the runtime open when it closes. */
export function createHttpServer(options) {
    const { runtime, token, clock = systemClock, onDiagnostic = () => { } } = options;
    const limits = { ...defaultHttpLimits, ...options.limits };
    const readers = new Readers({ limits, clock, onDiagnostic });
    const hosts = hostList(options.hosts ?? []);
    const app = createApp(routes, { runtime, readers, limits, clock, onDiagnostic, formats: options.formats ?? formats }, { token, hosts, origins: options.origins ?? [] });
    return {
        fetch: async (request) => app.fetch(request),
        async listen() {
            const { host = '127.0.0.1', port: wanted = 7411 } = options;
            const server = nodeServer((request, env) => app.fetch(request, env), limits);
            const port = await listening(server, host, wanted);
            hosts.bind(host, port);
            return {
                url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
                port,
                close: () => close(server, readers, limits.closeMs),
            };
        },
        get readers() {
            return readers.size;
        },
    };
}
function nodeServer(fetch, limits) {
    const listener = getRequestListener(fetch, {
        // The globals of the program that uses us are its own.
        overrideGlobalObjects: false,
        errorHandler: (thrown) => {
            const unreadable = thrown instanceof Error && thrown.name === 'RequestError';
            const { status, headers, body } = problem(unreadable ? badRequest(thrown) : toRunletError(thrown));
            return new Response(body, { status, headers });
        },
    });
    const server = createServer({
        maxHeaderSize: 16 * 1024,
        headersTimeout: limits.headersMs,
        requestTimeout: limits.bodyMs,
        keepAliveTimeout: limits.keepAliveMs,
        // Node looks for connections over their time this often; its own 30 s would make 10 s into 40.
        connectionsCheckingInterval: 1_000,
    }, (request, response) => void listener(request, response));
    server.maxConnections = limits.maxConnections;
    return server;
}
async function listening(server, host, port) {
    try {
        // A thousand readers that come back at once overrun Node's backlog of 511, and wait a second for a retry.
        server.listen({ host, port, backlog: 4_096 });
        await once(server, 'listening');
    }
    catch (cause) {
        const { code } = cause;
        throw new RunletError('invalid_request', {
            reason: code === 'EADDRINUSE' ? 'port_in_use' : 'address_unavailable',
            message: code === 'EADDRINUSE'
                ? `port ${port} of ${host} is in use: stop the program that listens there, or choose another port (0 takes a free one)`
                : `cannot listen on port ${port} of ${host} (${code}): choose an address of this machine, and a port from 1024 on`,
            cause,
        });
    }
    return server.address().port;
}
async function close(server, readers, waitMs) {
    const closed = once(server, 'close');
    server.close();
    // What is asked at this moment gets its answer; what does not end by itself is cut.
    const cut = setTimeout(() => server.closeAllConnections(), waitMs);
    await readers.close();
    server.closeIdleConnections();
    await closed;
    clearTimeout(cut);
}
function badRequest(cause) {
    return new RunletError('invalid_request', {
        reason: 'bad_request',
        message: 'the request line or the Host header is not valid HTTP',
        cause,
    });
}
