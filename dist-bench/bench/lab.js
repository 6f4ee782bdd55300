import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from './child.js';
export function openLab({ quick, profiles }) {
    const children = new Set();
    const folders = [];
    let load;
    let port;
    function start(child) {
        children.add(child);
        return child;
    }
    const measured = (module, name) => ({
        module,
        profile: profiles === undefined ? undefined : { folder: profiles, name },
    });
    return {
        quick,
        rounds: quick ? 1 : 5,
        async sourceUrl(kind) {
            port ??= start(startChild({ module: 'source/main.js' })).call('start');
            return `http://127.0.0.1:${await port}/${kind}`;
        },
        load: () => (load ??= start(startChild({ module: 'load/main.js' }))),
        host: (name) => start(startChild(measured('host/main.js', name))),
        job: (name) => start(startChild(measured('jobs/main.js', name))),
        folder() {
            const folder = mkdtempSync(join(tmpdir(), 'runlet-bench-'));
            folders.push(folder);
            return folder;
        },
        async close() {
            await Promise.all([...children].map((child) => child.stop()));
            for (const folder of folders)
                rmSync(folder, { recursive: true, force: true });
        },
    };
}
