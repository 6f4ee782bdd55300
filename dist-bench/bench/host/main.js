/** The server that is being measured, alone in its process, so that CPU and memory are its own. */
import { setTimeout as pause } from 'node:timers/promises';
import { answer } from '../child.js';
import { micros } from '../clock.js';
import { fanouts } from '../fanouts/index.js';
import { relays } from '../relays/index.js';
let fanout;
let stream;
const procedures = {
    async startRelay(name, options) {
        const relay = relays[name];
        return (await relay.load())(options);
    },
    async startFanout(name) {
        fanout = await (await fanouts[name].load())();
        const { port, headers } = fanout;
        return headers ? { port, headers } : { port };
    },
    /** Makes a stream that is silent until `produce`. Resolves with its path. */
    async openStream() {
        stream = await fanout.open();
        return stream.path;
    },
    /** Resolves with the time of the first event. */
    async produce(events, perBatch) {
        const begun = micros();
        await stream.produce(events, perBatch);
        return begun;
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
