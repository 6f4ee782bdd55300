import { toRunletError } from '../../core/error.js';
/**
 * One connection that follows one run. It holds a cursor, and at most `maxPendingBytes` that its connection has not
 * taken; beyond that it does not pull, falls behind in the log at no cost, and continues from its cursor.
 */
export class Reader {
    #reading;
    #sink;
    #context;
    #cursor;
    #live;
    #state = 'open';
    /** A record was handed over in part: nothing may come between, not even a sign of life. */
    #partial = false;
    /** Bytes handed to the sink. */
    #written = 0;
    /** When something was last said. */
    #spokeAt;
    /** Bytes that the other side had taken when last looked at, and since when it has not taken more. */
    #taken = 0;
    #takenAt;
    constructor(reading, sink, context) {
        this.#reading = reading;
        this.#sink = sink;
        this.#context = context;
        this.#cursor = reading.cursor;
        this.#live = reading.live;
        this.#spokeAt = this.#takenAt = context.clock.now();
    }
    /** Delivers until the run or the connection ends. Never rejects. */
    async follow() {
        const { encoder, snapshot } = this.#reading;
        try {
            this.#write(encoder.start());
            if (snapshot)
                await this.#send(this.#control({ type: 'snapshot', cursor: this.#cursor, view: snapshot }));
            await this.#deliver();
            if (this.#state === 'open')
                await this.#finish();
        }
        catch (thrown) {
            const error = toRunletError(thrown);
            this.#report('error', 'reader_failed', `reading run ${this.#reading.run.id} failed`, thrown);
            this.close(error.reason);
        }
    }
    /** Ends the connection, not the run, and says where to read on. */
    close(reason) {
        this.#leave({ type: 'closing', reason, cursor: this.#cursor });
    }
    /** The connection is gone. */
    disconnect() {
        const { stop, onDisconnect } = this.#reading;
        if (this.#state === 'open')
            onDisconnect?.();
        this.#state = 'gone';
        stop.abort();
    }
    /** Called by the sweep: a sign of life where there was silence, an end where nothing is taken. */
    check(now, tickMs) {
        const { limits } = this.#context;
        const { pending } = this.#sink;
        const taken = this.#written - pending;
        if (pending === 0 || taken !== this.#taken) {
            this.#taken = taken;
            this.#takenAt = now;
        }
        else if (now - this.#takenAt >= limits.stallMs) {
            return this.#overflow();
        }
        const silent = pending === 0 && !this.#partial && now - this.#spokeAt > limits.heartbeatMs - tickMs;
        if (silent && this.#state === 'open') {
            this.#write(this.#control({ type: 'heartbeat' }));
        }
    }
    async #deliver() {
        const { records, first, encoder } = this.#reading;
        for (let next = first ?? (await records.next()); !next.done; next = await records.next()) {
            const record = next.value;
            const bytes = record.type === 'gap'
                ? this.#control({ type: 'gap', from: record.from, to: record.to, reason: record.reason })
                : encoder.batch(record);
            // An `await` that has nothing to wait for would cost every reader of every batch a turn.
            if (this.#sink.room(bytes.length))
                this.#write(bytes);
            else if (!(await this.#send(bytes)))
                return;
            this.#cursor =
                record.type === 'gap'
                    ? { epoch: this.#cursor.epoch, seq: record.to }
                    : { epoch: record.epoch, seq: record.last };
        }
    }
    /** Writes as the connection takes it. False if it went meanwhile. */
    async #send(bytes) {
        const { maxPendingBytes } = this.#context.limits;
        for (let from = 0; from < bytes.length; from += maxPendingBytes) {
            const piece = bytes.length > maxPendingBytes ? bytes.subarray(from, from + maxPendingBytes) : bytes;
            while (!this.#sink.room(piece.length)) {
                await this.#sink.drained();
                if (this.#state !== 'open')
                    return false;
                if (from === 0)
                    await this.#tellLag();
            }
            this.#write(piece);
            this.#partial = from + piece.length < bytes.length;
        }
        return true;
    }
    /** Once for each time that a reader was live, and was then held up for so long that it has to catch up. */
    async #tellLag() {
        if (this.#cursor.seq < this.#live)
            return;
        const { cursor } = await this.#reading.run.header();
        const events = cursor.seq - this.#cursor.seq;
        if (events <= this.#context.limits.lagEvents || this.#state !== 'open')
            return;
        this.#live = cursor.seq;
        this.#write(this.#control({ type: 'lag', events, cursor: this.#cursor }));
        this.#report('info', 'reader_lag', `a reader of run ${this.#reading.run.id} is ${events} events behind`);
    }
    /** The log has no more: because the run ended, or because the log did. */
    async #finish() {
        const { status, cursor } = await this.#reading.run.header();
        if (this.#state !== 'open')
            return;
        if (status === 'running' || cursor.seq !== this.#cursor.seq)
            return this.close('log_closed');
        this.#write(this.#reading.encoder.end());
        this.#end();
    }
    #overflow() {
        // It was told before, and takes not even that.
        if (this.#state !== 'open')
            return this.#sink.destroy();
        const { run, onDisconnect } = this.#reading;
        const seconds = this.#context.limits.stallMs / 1000;
        this.#report('warning', 'slow_consumer', `a reader of run ${run.id} took nothing for ${seconds} s and is closed`);
        onDisconnect?.();
        this.#takenAt = this.#context.clock.now();
        this.#leave({ type: 'overflow', reason: 'slow_consumer', cursor: this.#cursor });
    }
    #leave(body) {
        if (this.#state !== 'open')
            return;
        if (!this.#partial)
            this.#write(this.#control(body));
        this.#end();
    }
    #end() {
        this.#state = 'ended';
        this.#reading.stop.abort();
        // A clean end behind half a record would be a lie; a cut is not.
        if (this.#partial)
            this.#sink.destroy();
        else
            this.#sink.end();
    }
    #write(bytes) {
        if (bytes.length === 0)
            return;
        this.#sink.write(bytes);
        this.#written += bytes.length;
        this.#spokeAt = this.#context.clock.now();
    }
    #control(body) {
        return this.#reading.encoder.control({ ...body, ts: this.#context.clock.now() });
    }
    #report(level, code, message, cause) {
        const { id } = this.#reading.run;
        this.#context.onDiagnostic({ level, code, message, run_id: id, ...(cause === undefined ? {} : { cause }) });
    }
}
