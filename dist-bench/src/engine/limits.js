export const defaultLimits = {
    firstContentMs: 120_000,
    idleMs: 60_000,
    toolMs: 120_000,
    graceMs: 1_500,
    cancelMs: 5_000,
    steps: 8,
    attempts: 3,
    parallelTools: 8,
};
