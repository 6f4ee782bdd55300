/** A token that says when it was sent: `@` and microseconds of the machine's clock in 15 digits. */
const AT = 0x40;
const ZERO = 0x30;
const DIGITS = 15;
export function stampText(us) {
    return ` @${Math.round(us).toString().padStart(DIGITS, '0')}`;
}
/** Finds stamps in bytes that may be cut anywhere. Made for one stream. */
export function stampReader() {
    let us = 0;
    /** Digits still to come of the stamp under way. */
    let left = 0;
    return {
        push(chunk, onStamp) {
            let at = 0;
            for (;;) {
                if (left === 0) {
                    at = chunk.indexOf(AT, at) + 1;
                    if (at === 0)
                        return;
                    us = 0;
                    left = DIGITS;
                }
                while (left > 0 && at < chunk.length) {
                    us = us * 10 + chunk[at++] - ZERO;
                    left--;
                }
                if (left > 0)
                    return;
                onStamp(us);
            }
        },
    };
}
