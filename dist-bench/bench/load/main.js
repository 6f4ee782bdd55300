/** The clients: one process that loads a server and counts what comes, so that the server's process does nothing else. */
import { answer } from '../child.js';
import { startFlood } from './flood.js';
import { startFollow } from './follow.js';
import { startPaced } from './paced.js';
let flooding;
let pacing;
let following;
function begun(load) {
    if (load === undefined)
        throw new Error('no load of this kind was started');
    return load;
}
const procedures = {
    flood(options) {
        flooding = startFlood(options);
    },
    floodCount: () => begun(flooding).count(),
    stopFlood: () => begun(flooding).stop(),
    async pace(options) {
        pacing = await startPaced(options);
    },
    paceSample: () => begun(pacing).sample(),
    stopPace: () => begun(pacing).stop(),
    async follow(options) {
        following = await startFollow(options);
    },
    followed: () => begun(following).ended,
    stopFollow: () => begun(following).stop(),
};
answer(procedures);
