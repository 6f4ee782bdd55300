import { addUsage, isTerminal, statusAfter } from './event.js';
import { textOf } from './message.js';
/** The view of a run of which nothing is known yet: what folding begins with. */
export const emptyView = { seq: 0, status: 'running', messages: [] };
/** The view after some more entries. Entries that the view has already are passed over. */
export function fold(view, entries) {
    let next = view;
    for (let i = 0; i < entries.length; i++) {
        const entry = entries[i];
        if (entry.seq <= next.seq)
            continue;
        const { event } = entry;
        if (event.type === 'text.delta' || event.type === 'reasoning.delta') {
            // Deltas come in long rows; one copy of the message per row, not per delta.
            let text = event.text;
            let last = entry;
            for (let more = entries[i + 1]; more?.event.type === event.type; more = entries[++i + 1]) {
                text += more.event.text;
                last = more;
            }
            next = { ...addText(next, event.type === 'text.delta' ? 'text' : 'reasoning', text), seq: last.seq };
        }
        else {
            next = { ...apply(next, event), seq: entry.seq };
        }
    }
    return next;
}
function apply(view, event) {
    if (isTerminal(event))
        return end(view, event);
    switch (event.type) {
        case 'start': {
            const { type: _, ...start } = event;
            return { ...view, start };
        }
        case 'turn.start':
            return { ...view, messages: [...view.messages, event.message] };
        case 'step.start':
            return { ...view, step: { step: event.step, attempt: event.attempt, base: view.messages.length } };
        case 'step.reset': {
            const base = view.step?.base ?? view.messages.length;
            return {
                ...view,
                messages: view.messages.slice(0, base),
                step: { step: event.step, attempt: event.attempt, base },
            };
        }
        case 'step.end': {
            const { step: _, ...rest } = view;
            const usage = addUsage(view.usage, event.usage);
            return usage ? { ...rest, usage } : rest;
        }
        case 'tool.call': {
            const { name, input } = event.tool_call;
            return addPart(view, { type: 'tool_call', call_id: event.call_id, name, input });
        }
        case 'tool.result': {
            const { call_id, name, tool_result: content, is_error } = event;
            return { ...view, messages: [...view.messages, { role: 'tool', call_id, name, content, is_error }] };
        }
        default:
            return view;
    }
}
function end(view, event) {
    const { step: _, ...rest } = view;
    const usage = event.usage ?? view.usage;
    return {
        ...rest,
        status: statusAfter(event),
        ...(usage ? { usage } : {}),
        ...(event.type === 'finish' ? { finish_reason: event.finish_reason } : { error: event.error }),
    };
}
function addText(view, type, text) {
    const last = stepMessage(view)?.parts.at(-1);
    if (last?.type !== type)
        return addPart(view, { type, text });
    return withParts(view, (parts) => [...parts.slice(0, -1), { type, text: last.text + text }]);
}
const addPart = (view, part) => withParts(view, (parts) => [...parts, part]);
/** Changes the assistant message of the step under way, which begins with its first part. */
function withParts(view, change) {
    const message = stepMessage(view);
    const changed = { role: 'assistant', parts: change(message?.parts ?? []) };
    if (!message)
        return { ...view, messages: [...view.messages, changed] };
    const at = view.step.base;
    return { ...view, messages: view.messages.map((other, i) => (i === at ? changed : other)) };
}
/** The assistant message of the step under way: the first message after the step's start. */
function stepMessage(view) {
    const message = view.step && view.messages[view.step.base];
    return message?.role === 'assistant' ? message : undefined;
}
/** The visible answer of a run: the text of its assistant messages, joined. */
export function outputText(view) {
    return view.messages.reduce((text, message) => (message.role === 'assistant' ? text + textOf(message) : text), '');
}
/** The last thing the model said in this run; undefined if it said nothing. */
export function lastAnswer(view) {
    return view.messages.findLast((message) => message.role === 'assistant');
}
