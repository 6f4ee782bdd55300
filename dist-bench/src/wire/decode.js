/** Bytes become frames, and frames become events, by machines of one shape: what goes in may be cut anywhere. */
/**
 * Everything that one chunk completes, as one array, never an empty one. A fault is thrown after what stood before it
 * was handed on, so that the cuts between chunks decide nothing. Stops reading at the end mark.
 */
export async function* decode(chunks, decoder) {
    for await (const chunk of chunks) {
        const out = [];
        const fault = caught(() => decoder.push(chunk, out));
        if (out.length > 0)
            yield out;
        if (fault)
            throw fault.error;
        if (decoder.ended)
            return;
    }
    const out = [];
    const fault = caught(() => decoder.end(out));
    if (out.length > 0)
        yield out;
    if (fault)
        throw fault.error;
}
function caught(work) {
    try {
        work();
        return undefined;
    }
    catch (error) {
        return { error };
    }
}
/** One decoder out of two: what the first makes goes into the second. */
export function pipe(first, second) {
    const feed = (frames, out) => {
        for (const frame of frames) {
            if (second.ended)
                return;
            second.push(frame, out);
        }
    };
    return {
        get ended() {
            return second.ended ?? false;
        },
        push(chunk, out) {
            const frames = [];
            const fault = caught(() => first.push(chunk, frames));
            // Frames before a fault count: one of them may be at fault earlier, or be the end mark, behind which nothing is.
            feed(frames, out);
            if (fault && !second.ended)
                throw fault.error;
        },
        end(out) {
            const frames = [];
            first.end(frames);
            feed(frames, out);
            if (!second.ended)
                second.end(out);
        },
    };
}
