import { gai } from './gai.js';
/** Every spelling that a client may ask for, by the name it asks with. */
export const formats = { gai };
