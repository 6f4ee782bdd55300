/**
 * On a port of the system's choice. The backlog is what a thousand clients need that connect at once: with the default
 * of 511 the others meet a second of SYN retries.
 */
export function listen(server) {
    return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => resolve(server.address().port));
    });
}
