import { checkCursor, epochAt, START } from '../core/cursor.js';
/**
 * One reading of one run: a cursor, and nothing else while the reader is slow. Batches come from the run's tail,
 * shared with all its readers; further back they come from the store, one step at a time, each in a turn of the loop
 * of its own so that a long history does not hold everyone else up.
 *
 * Written by hand instead of as a generator: with a thousand readers on a run, what a waiting reader costs per batch
 * is what the run costs.
 */
export class RunReader {
    source;
    #run;
    #options;
    #state = 'new';
    /** Seq of the last entry handed out. */
    #seq = 0;
    /** Where a reading without `follow` ends. */
    #to;
    #live;
    /** The last step read from the store, and how much of it was handed out. */
    #step = NOTHING;
    #taken = 0;
    #stepped = false;
    #turn;
    /** The call of `next` that waits. */
    #waiting;
    #resolve;
    #reject;
    constructor(source, run, options) {
        this.source = source;
        this.#run = run;
        this.#options = options;
    }
    [Symbol.asyncIterator]() {
        return this;
    }
    next() {
        if (this.#waiting) {
            const again = () => this.next();
            return this.#waiting.then(again, again);
        }
        try {
            return this.#pull();
        }
        catch (error) {
            this.#finish();
            return Promise.reject(error);
        }
    }
    return() {
        this.end();
        return Promise.resolve(DONE);
    }
    wake(next) {
        if (next?.value.first !== this.#seq + 1)
            return this.#resume();
        this.#seq = next.value.last;
        this.#answer(next);
    }
    end() {
        this.#finish();
        this.#answer(DONE);
    }
    fail(error) {
        this.#finish();
        this.#refuse(error);
    }
    #pull() {
        if (this.#state === 'new')
            this.#open();
        if (this.#state === 'done')
            return Promise.resolve(DONE);
        if (this.source.closed)
            return this.return();
        for (;;) {
            if (this.#taken < this.#step.length)
                return this.#give(this.#step[this.#taken++]);
            this.#step = NOTHING;
            const live = this.#live;
            const to = this.#to ?? live.last;
            if (this.#seq < to) {
                const batch = live?.find(this.#seq + 1);
                if (batch)
                    return this.#give(batch.first === this.#seq + 1 ? batch : batch.after(this.#seq));
                // What is not in the tail is stored; the store may not have all of the tail yet.
                const stored = Math.min(to, live?.stored ?? to);
                if (this.#stepped)
                    return this.#wait(() => (this.#turn = setImmediate(() => this.#readStep(stored))));
                this.#load(stored);
            }
            else if (this.#to !== undefined || live.ended) {
                return this.return();
            }
            else if (live.error) {
                throw live.error;
            }
            else {
                const current = this.source.settle(live);
                this.#live = current;
                if (current.last <= this.#seq && !current.ended && !current.error)
                    return this.#wait(() => current.wait(this));
            }
        }
    }
    #open() {
        const { after = START, follow = false, signal } = this.#options;
        if (signal?.aborted || this.source.closed)
            return this.#finish();
        const { last, live } = this.source.open(this.#run, after);
        this.#state = 'open';
        this.#seq = after.seq;
        this.#live = live;
        if (!follow || !live)
            this.#to = last;
        signal?.addEventListener('abort', this.#abort, { once: true });
    }
    #abort = () => this.end();
    #load(to) {
        this.#step = this.source.step(this.#run, this.#seq, to);
        this.#taken = 0;
        this.#stepped = true;
    }
    #readStep(to) {
        this.#turn = undefined;
        try {
            if (!this.source.closed)
                this.#load(to);
        }
        catch (error) {
            this.#finish();
            return this.#refuse(error);
        }
        this.#resume();
    }
    #give(record) {
        this.#seq = record.type === 'gap' ? record.to : record.last;
        return Promise.resolve({ done: false, value: record });
    }
    #wait(begin) {
        this.#waiting = new Promise((resolve, reject) => {
            this.#resolve = resolve;
            this.#reject = reject;
        });
        begin();
        return this.#waiting;
    }
    /** Answers the waiting call with whatever the next pull gives. */
    #resume() {
        const answer = this.#resolve;
        this.#forgetCall();
        answer?.(this.next());
    }
    #answer(result) {
        const answer = this.#resolve;
        this.#forgetCall();
        answer?.(result);
    }
    #refuse(error) {
        const refuse = this.#reject;
        this.#forgetCall();
        refuse?.(error);
    }
    #forgetCall() {
        this.#waiting = this.#resolve = this.#reject = undefined;
    }
    #finish() {
        this.#state = 'done';
        this.#options.signal?.removeEventListener('abort', this.#abort);
        if (this.#turn)
            clearImmediate(this.#turn);
        this.#live?.leave(this);
        this.#step = NOTHING;
        this.#live = this.#turn = undefined;
    }
}
const NOTHING = [];
const DONE = Object.freeze({ done: true, value: undefined });
/** Throws `cursor_expired` if retention took what follows `seq` while somebody was reading. */
export function checkKept(extent, seq) {
    checkCursor({ epoch: epochAt(extent, seq), seq }, extent);
}
