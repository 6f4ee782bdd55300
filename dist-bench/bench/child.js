import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
/** Starts a process that answers with `answer` below. It has `--expose-gc`, for the memory rows. */
export function startChild({ module, profile }) {
    const profiling = profile
        ? ['--cpu-prof', `--cpu-prof-dir=${profile.folder}`, `--cpu-prof-name=${profile.name}.cpuprofile`]
        : [];
    const file = fileURLToPath(new URL(module, import.meta.url));
    const child = fork(file, { execArgv: ['--expose-gc', ...profiling], serialization: 'advanced' });
    const waiting = new Map();
    let asked = 0;
    child.on('message', (message) => {
        const reply = message;
        const asker = waiting.get(reply.id);
        waiting.delete(reply.id);
        if ('error' in reply)
            asker?.reject(new Error(`${module}: ${reply.error}`));
        else
            asker?.resolve(reply.result);
    });
    const gone = new Promise((resolve) => {
        child.on('exit', (code, signal) => {
            const error = new Error(`${module} ended (${signal ?? code}) before it answered`);
            for (const asker of waiting.values())
                asker.reject(error);
            resolve();
        });
    });
    return {
        call: (name, ...input) => new Promise((resolve, reject) => {
            const question = { id: ++asked, name, input };
            waiting.set(question.id, { resolve: resolve, reject });
            child.send(question, (error) => {
                if (error)
                    reject(error);
            });
        }),
        stop() {
            if (child.connected)
                child.disconnect();
            return gone;
        },
    };
}
/** The child's side. The process ends when its parent lets go of it. */
export function answer(procedures) {
    process.on('message', (message) => {
        const { id, name, input } = message;
        const procedure = procedures[name];
        Promise.resolve()
            .then(() => {
            if (!procedure)
                throw new Error(`there is no procedure ${name}`);
            return procedure(...input);
        })
            .then((result) => reply({ id, result }), (error) => reply({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }));
    });
    process.on('disconnect', () => process.exit());
}
function reply(message) {
    process.send?.(message);
}
