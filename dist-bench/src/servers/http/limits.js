export const defaultHttpLimits = {
    maxBodyBytes: 10 * 1024 * 1024,
    heartbeatMs: 15_000,
    stallMs: 30_000,
    maxPendingBytes: 64 * 1024,
    lagEvents: 1_000,
    maxConnections: 10_000,
    headersMs: 10_000,
    bodyMs: 60_000,
    keepAliveMs: 5_000,
    idempotencyMs: 24 * 60 * 60 * 1000,
    closeMs: 1_000,
};
