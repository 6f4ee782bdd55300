import { fanout } from './fanout.js';
import { parse } from './parse.js';
import { crowd, delay } from './paced.js';
import { relay } from './relay.js';
/** Every group, by the name that the command line calls it, in the order in which they run. */
export const groups = { parse, relay, fanout, delay, crowd };
