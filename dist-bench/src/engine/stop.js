/** Why a run is being stopped from outside: the reason of its abort signal. It is not an error and never leaves the engine. */
export class Stop extends Error {
    name = 'Stop';
    cause;
    reason;
    constructor(cause, reason) {
        super(`run stopped: ${reason}`);
        this.cause = cause;
        this.reason = reason;
    }
}
