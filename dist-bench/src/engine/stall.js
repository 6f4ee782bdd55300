import { RunletError } from '../core/error.js';
export function watchStall({ clock, firstContentMs, idleMs, onStall }) {
    let seen = false;
    let last = clock.now();
    let cancelTimer = clock.after(firstContentMs, check);
    function check() {
        const limit = seen ? idleMs : firstContentMs;
        const left = last + limit - clock.now();
        if (left > 0)
            cancelTimer = clock.after(left, check);
        else
            onStall(seen ? idle(idleMs) : silent(firstContentMs));
    }
    return {
        content() {
            last = clock.now();
            if (seen)
                return;
            seen = true;
            cancelTimer();
            cancelTimer = clock.after(idleMs, check);
        },
        stop: () => cancelTimer(),
    };
}
const silent = (ms) => new RunletError('timeout', {
    reason: 'first_content_timeout',
    message: `the model sent nothing for ${ms / 1000} s after the request; raise limits.first_content_ms if it needs longer to load`,
});
const idle = (ms) => new RunletError('timeout', {
    reason: 'idle_timeout',
    message: `the model stopped sending in mid-answer for ${ms / 1000} s; raise limits.idle_ms if it pauses that long`,
});
