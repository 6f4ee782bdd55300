import { RunletError } from '../core/error.js';
import { conversation, sessionPast } from './session.js';
/** Checks a request against what the runtime has. Throws as `Runtime.start` says; nothing is stored here. */
export async function prepareRun(request, options, tools, newId) {
    const { given, prompt } = split(request);
    const past = request.sessionId === undefined ? undefined : await sessionPast(options.log, request.sessionId);
    const { providerName, provider, model } = resolveModel(request.model ?? past?.model ?? options.defaultModel, options);
    const history = conversation(past?.messages ?? [], given, request.system);
    const allowed = allowedTools(request.tools ?? [], tools);
    const requestId = request.requestId ?? newId();
    const { levels } = options.log;
    const wanted = request.durability ?? options.durability;
    const start = {
        type: 'start',
        trace_id: request.traceId ?? requestId,
        request_id: requestId,
        run_id: newId(),
        session_id: request.sessionId ?? newId(),
        provider: providerName,
        model,
        durability: wanted !== undefined && levels.includes(wanted) ? wanted : levels[0],
        capabilities: provider.capabilities,
    };
    const onInterrupt = request.onInterrupt ?? 'fail';
    const system = request.system === undefined ? [] : [{ role: 'system', content: request.system }];
    return {
        stored: {
            start,
            events: [
                { type: 'turn.start', turn: 1, kind: 'prompt', message: { role: 'user', content: prompt } },
                { type: 'step.start', step: 1, attempt: 1 },
            ],
            request: {
                messages: [...system, ...given],
                prompt,
                options: request.options ?? {},
                tools: [...allowed.keys()],
                ...(onInterrupt === 'restart' ? { on_interrupt: onInterrupt } : {}),
            },
            ...(request.idempotency ? { claim: request.idempotency } : {}),
        },
        providerName,
        provider,
        model,
        history,
        tools: allowed,
        onInterrupt,
    };
}
/** The prompt, and what the caller gave before it: either apart, or as the last of `messages`. */
function split({ prompt, messages = [] }) {
    const last = messages.at(-1);
    const apart = prompt !== undefined;
    const text = apart ? prompt : last?.role === 'user' ? last.content : '';
    if (text.trim() === '') {
        throw new RunletError('invalid_request', {
            reason: 'empty_prompt',
            message: 'there is nothing to answer: give a prompt that is not empty, or messages that end with one from the user',
        });
    }
    return { given: apart ? messages : messages.slice(0, -1), prompt: text };
}
function resolveModel(name, { providers, aliases = {} }) {
    const known = Object.keys(providers);
    if (name === undefined || name === '') {
        throw new RunletError('invalid_request', {
            reason: 'model_missing',
            message: `no model was named and there is no default; name one as provider/model (providers: ${list(known)}) or set default_model`,
        });
    }
    const full = Object.hasOwn(aliases, name) ? aliases[name] : name;
    const slash = full.indexOf('/');
    const providerName = slash < 0 ? '' : full.slice(0, slash);
    if (slash < 0 || slash === full.length - 1 || !Object.hasOwn(providers, providerName)) {
        const also = Object.keys(aliases).length > 0 ? `; aliases: ${list(Object.keys(aliases))}` : '';
        throw new RunletError('not_found', {
            reason: 'model_unknown',
            message: `"${full}" names no model here; write provider/model with one of these providers: ${list(known)}${also}`,
        });
    }
    return { providerName, provider: providers[providerName], model: full.slice(slash + 1) };
}
function allowedTools(names, tools) {
    const allowed = new Map();
    for (const name of names) {
        const tool = tools.get(name);
        if (!tool) {
            throw new RunletError('invalid_request', {
                reason: 'tool_unknown',
                message: `there is no tool "${name}"; available: ${list([...tools.keys()])}`,
            });
        }
        allowed.set(name, tool);
    }
    return allowed;
}
const list = (names) => names.join(', ') || 'none';
