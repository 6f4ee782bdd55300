import { lastOf } from './line.js';
/** The marker is ASCII and cannot overlap itself. */
export function markerCount(marker) {
    const bytes = Buffer.from(marker);
    const reach = marker.length - 1;
    let count = 0;
    let tail = '';
    return {
        get count() {
            return count;
        },
        add(chunk) {
            // One that lies across the cut is in neither part alone.
            if (tail !== '' && (tail + chunk.toString('latin1', 0, reach)).includes(marker))
                count++;
            for (let at = chunk.indexOf(bytes); at >= 0; at = chunk.indexOf(bytes, at + bytes.length))
                count++;
            tail = lastOf(tail, chunk, reach);
        },
    };
}
