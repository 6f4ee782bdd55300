import { RunletError } from '../../core/error.js';
/**
 * The error for a tool call that cannot be made of what the model wrote. `what` says what it wrote. The connection is
 * sound and our request too: another try may help.
 */
export function badCall(peer, reason, what, cause) {
    return new RunletError('internal', {
        reason,
        message: `the model at ${peer.name} wrote ${what}; no tool was run. Ask again, or use another model`,
        provider: peer.provider,
        ...(cause === undefined ? {} : { cause }),
    });
}
