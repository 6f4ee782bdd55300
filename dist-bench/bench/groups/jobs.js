/** Does the jobs in turns, each in its own process, and makes one figure of each round. */
export async function jobRows(lab, rows, figure) {
    const lines = [];
    for (const row of rows) {
        const child = lab.job(row.job);
        await child.call('prepare', row.job, lab.folder());
        // Until the compiler has settled.
        await child.call('round', lab.quick ? 150 : 600);
        lines.push({ row, child, samples: [] });
    }
    for (let round = 0; round < lab.rounds; round++) {
        for (const { child, samples } of lines)
            samples.push(figure(await child.call('round', lab.quick ? 100 : 250)));
    }
    await Promise.all(lines.map(({ child }) => child.stop()));
    return lines.map(({ row: { job: _, ...row }, samples }) => ({ ...row, samples }));
}
export const cpuNs = ({ cpuUs, count }) => (cpuUs * 1e3) / count;
export const perSecond = ({ wallUs, count }) => (count / wallUs) * 1e6;
