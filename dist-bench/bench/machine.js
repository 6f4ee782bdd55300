import { execFileSync } from 'node:child_process';
import { cpus, loadavg, totalmem } from 'node:os';
export function thisMachine() {
    const cores = cpus();
    return {
        cpu: cores[0]?.model.trim() ?? 'unknown',
        cores: cores.length,
        memoryGib: Math.round(totalmem() / 2 ** 30),
        system: `${process.platform} ${process.arch}`,
        node: process.version,
        load: Math.round(loadavg()[0] * 100) / 100,
        commit: commit(),
    };
}
function commit() {
    try {
        return execFileSync('git', ['describe', '--always', '--dirty'], {
            encoding: 'utf8',
            stdio: ['ignore', 'pipe', 'ignore'],
        }).trim();
    }
    catch {
        return 'unknown';
    }
}
export function machineText({ cpu, cores, memoryGib, system, node, load, commit: at }) {
    return `${cores} × ${cpu}, ${memoryGib} GiB, ${system}, Node ${node}, load ${load}, commit ${at}`;
}
