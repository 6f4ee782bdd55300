import { isRunletError } from '../core/error.js';
import { LiveRun } from './live.js';
import { readError } from './sqlite-errors.js';
/** What is kept of a run that another process appends to: enough for its readers here to share. Characters. */
const TAIL_CHARS = 262_144;
/** The runs of other processes that are followed here. They are read again whenever the file changed. */
export class ForeignRuns {
    #path;
    #rows;
    #lives = new Map();
    constructor(path, rows) {
        this.#path = path;
        this.#rows = rows;
    }
    /** How many runs are followed. */
    get size() {
        return this.#lives.size;
    }
    /** What a reader of `run` follows. */
    get(run, last) {
        return this.#lives.get(run) ?? new LiveRun(run, last, TAIL_CHARS);
    }
    /** Brings a run up to date for a reader that is about to wait, and keeps it so. */
    settle(live) {
        const current = this.#lives.get(live.run) ?? live;
        this.#refresh(current);
        if (!current.ended && !current.error)
            this.#lives.set(live.run, current);
        return current;
    }
    /** Brings all runs up to date that somebody waits for, and lets go of the others. */
    refresh() {
        for (const live of this.#lives.values()) {
            if (live.waiting === 0)
                this.#lives.delete(live.run);
            else
                this.#refresh(live);
        }
    }
    /** Gives up a run, which is not foreign any more. */
    take(run) {
        const live = this.#lives.get(run);
        this.#lives.delete(run);
        return live;
    }
    close() {
        for (const live of this.#lives.values())
            live.dismiss(() => true);
        this.#lives.clear();
    }
    #refresh(live) {
        try {
            const row = this.#rows.row(live.run);
            const last = row?.extent.last ?? live.last;
            if (row && last > live.last) {
                const records = this.#rows.step(live.run, row.no, live.last, last);
                const [batch] = records;
                if (batch?.type === 'batch' && batch.last === last)
                    live.publish(batch);
                else
                    live.advance(last);
            }
            if (row?.status !== 'running')
                live.end();
        }
        catch (thrown) {
            live.fail(isRunletError(thrown) ? thrown : readError(this.#path, thrown));
        }
        if (live.ended || live.error)
            this.#lives.delete(live.run);
    }
}
