/** A process that does one job in rounds. */
import { answer } from '../child.js';
import { micros } from '../clock.js';
import { jobs } from './index.js';
let work;
const procedures = {
    async prepare(name, folder) {
        const job = await jobs[name]();
        work = await job({ folder });
    },
    /** Works for at least that long. */
    async round(leastMs) {
        if (!work)
            throw new Error('no job was prepared');
        const cpu = process.cpuUsage();
        const begun = micros();
        let count = 0;
        let now = begun;
        while (now - begun < leastMs * 1000) {
            count += await work();
            now = micros();
        }
        const { user, system } = process.cpuUsage(cpu);
        return { count, wallUs: now - begun, cpuUs: user + system };
    },
};
answer(procedures);
