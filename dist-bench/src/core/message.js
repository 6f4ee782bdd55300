/** The visible text of a message: text parts joined, without reasoning and tool calls. */
export function textOf(message) {
    switch (message.role) {
        case 'system':
        case 'user':
            return message.content;
        case 'assistant':
            return message.parts.reduce((text, part) => (part.type === 'text' ? text + part.text : text), '');
        case 'tool':
            return contentText(message.content);
    }
}
/** A tool's outcome as a model reads it: a string as it is, anything else as JSON. */
export function contentText(content) {
    return typeof content === 'string' ? content : JSON.stringify(content);
}
