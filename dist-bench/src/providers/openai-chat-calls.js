import { isRecord, parseJsonObject } from '../wire/json.js';
import { badCall } from './shared/bad-call.js';
import { MAX_FRAME } from './shared/events.js';
import { wholeText } from './shared/whole-text.js';
const MAX_CALLS = 128;
/**
 * A fragment belongs to the call of its `index`, if that is a number a call can have; else to the call of its id; else
 * to the last call. A second id at one index begins another call (Ollama and others number every call 0). Null and ""
 * count as absent: Alibaba and Writer continue a call with an empty id, Mistral with an empty name.
 */
export function toolCalls(peer, ids) {
    const calls = [];
    let size = 0;
    function callOf(index, id) {
        let found;
        if (index !== undefined) {
            found = calls.findLast((call) => call.index === index);
            if (found && id !== '' && found.theirId !== '' && found.theirId !== id)
                found = undefined;
        }
        else {
            found = id === '' ? calls.at(-1) : calls.find((call) => call.theirId === id);
        }
        if (found)
            return found;
        if (calls.length >= MAX_CALLS)
            throw badCall(peer, 'bad_tool_call', `more than ${MAX_CALLS} tool calls in one answer`);
        const call = {
            index: index ?? calls.at(-1)?.index ?? 0,
            callId: ids.take(id),
            theirId: id,
            name: '',
            json: '',
            waiting: '',
            shown: wholeText(),
        };
        calls.push(call);
        return call;
    }
    return {
        get any() {
            return calls.length > 0;
        },
        add(fragment, out) {
            if (!isRecord(fragment))
                return;
            const { index, function: body } = fragment;
            const id = textIn(fragment['id']);
            const call = callOf(isIndex(index) ? index : undefined, id);
            if (call.theirId === '')
                call.theirId = id;
            if (!isRecord(body))
                return;
            call.name = textIn(body['name']) || call.name;
            const piece = argumentsIn(body['arguments']);
            size += piece.length;
            if (size > MAX_FRAME)
                throw badCall(peer, 'bad_tool_arguments', 'tool arguments that do not end');
            call.json += piece;
            call.waiting += piece;
            if (call.name === '' || call.waiting === '')
                return;
            const json = call.shown.push(call.waiting);
            call.waiting = '';
            if (json !== '')
                out.push({ type: 'tool_call_delta', call_id: call.callId, name: call.name, json });
        },
        close(out) {
            const closed = calls
                .toSorted((a, b) => a.index - b.index)
                .map(({ callId: call_id, name, json }) => {
                if (name === '')
                    throw badCall(peer, 'bad_tool_call', 'a tool call without a name');
                return { type: 'tool_call', call_id, name, input: inputOf(peer, json) };
            });
            out.push(...closed);
        },
    };
}
/** Strictly, and only here, at the end: what is cut or damaged is never repaired into a call. */
function inputOf(peer, json) {
    if (json.trim() === '')
        return {};
    try {
        return parseJsonObject(json, { maxBytes: MAX_FRAME });
    }
    catch (error) {
        throw badCall(peer, 'bad_tool_arguments', 'tool arguments that are not a JSON object', error);
    }
}
const isIndex = (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) < 4096;
const textIn = (value) => (typeof value === 'string' ? value : '');
/** Some servers send the object itself. */
const argumentsIn = (value) => (isRecord(value) ? JSON.stringify(value) : textIn(value));
