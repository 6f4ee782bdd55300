import { RunletError } from '../core/error.js';
/**
 * Node's own SQLite, or the package that brings the same API to a Node without one. Throws `unsupported` with reason
 * `sqlite_missing`.
 */
export async function loadSqlite() {
    const own = builtIn();
    if (own)
        return own;
    try {
        return await import('@photostructure/sqlite');
    }
    catch (cause) {
        throw new RunletError('unsupported', {
            reason: 'sqlite_missing',
            message: 'this Node has no SQLite. Take Node 22.13 or later, or run "npm install @photostructure/sqlite"; ' +
                'without either, runs can be kept in memory only (--store memory:)',
            cause,
        });
    }
}
function builtIn() {
    // Node 22 and 24 warn on stderr, once per thread, that the module is experimental. Its users cannot act on that.
    // oxlint-disable-next-line typescript/unbound-method -- it is put back as it was
    const { emitWarning } = process;
    process.emitWarning = () => { };
    try {
        return process.getBuiltinModule('node:sqlite');
    }
    finally {
        process.emitWarning = emitWarning;
    }
}
