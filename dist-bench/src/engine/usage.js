import { contentText } from '../core/message.js';
/** What a model call used, where the provider did not say: four characters a token, the usual rule of thumb. */
export function estimateUsage(asked, answered) {
    const input_tokens = tokens(asked);
    const output_tokens = tokens(answered);
    return { input_tokens, output_tokens, total_tokens: input_tokens + output_tokens, accuracy: 'estimated' };
}
/** The usage of a run that never called a model. */
export const noUsage = { input_tokens: 0, output_tokens: 0, total_tokens: 0, accuracy: 'exact' };
function tokens(messages) {
    return Math.ceil(messages.reduce((sum, message) => sum + size(message), 0) / 4);
}
function size(message) {
    switch (message.role) {
        case 'system':
        case 'user':
            return message.content.length;
        case 'tool':
            return contentText(message.content).length;
        case 'assistant':
            return message.parts.reduce((sum, part) => sum + (part.type === 'tool_call' ? JSON.stringify(part.input).length : part.text.length), 0);
    }
}
