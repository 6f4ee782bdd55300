/** The server that is being measured, alone in its process, so that CPU and memory are its own. */
import { setTimeout as pause } from 'node:timers/promises';
import { answer } from '../child.js';
import { micros } from '../clock.js';
import { relays } from '../relays/index.js';
const procedures = {
    async startRelay(name, options) {
        const relay = relays[name];
        return (await relay.load())(options);
    },
    usage() {
        const { user, system } = process.cpuUsage();
        return { cpuUs: user + system, atUs: micros() };
    },
    /** Resident set after two full collections, in bytes. */
    async memory() {
        for (let i = 0; i < 2; i++) {
            globalThis.gc?.();
            await pause(20);
        }
        return process.memoryUsage.rss();
    },
};
answer(procedures);
