import { fold } from '../core/fold.js';
export function openJournal({ log, run, epoch, order, ...from }) {
    let view = from.view;
    let waiting = [];
    let underway;
    let next;
    function write() {
        underway = writeWaiting();
        return underway;
    }
    async function writeWaiting() {
        const events = waiting;
        waiting = [];
        next = undefined;
        await log.append(run, epoch, events);
        if (waiting.length === 0)
            underway = undefined;
    }
    return {
        append(events) {
            for (const event of events)
                order.accept(event);
            view = fold(view, asEntries(events, view.seq));
            waiting = waiting.length === 0 ? [...events] : [...waiting, ...events];
            // A failed append fails those that wait behind it: what follows a hole must not be written.
            if (underway)
                return (next ??= underway.then(write));
            return write();
        },
        get view() {
            return view;
        },
    };
}
/** Events as the log will number them. Their times do not matter to `fold`. */
function asEntries(events, seq) {
    return events.map((event, i) => ({ seq: seq + i + 1, ts: 0, event }));
}
