import { isRecord } from '../wire/json.js';
import { chatError, errorIn } from './openai-chat-errors.js';
import { chatBody, chatStream } from './openai-chat-parse.js';
import { chatRequest, dialectOf } from './openai-chat-request.js';
import { callIds } from './shared/call-ids.js';
import { eventsOf, MAX_FRAME } from './shared/events.js';
import { httpClient } from './shared/http.js';
import { badFrame } from './shared/refusal.js';
const API = 'openai-chat';
const MAX_ERROR_BODY = 64 << 10;
/**
 * OpenAI's Chat Completions, and everyone who speaks it: Azure, OpenRouter, Groq, Mistral, DeepSeek, xAI, vLLM,
 * llama.cpp, LM Studio. https://platform.openai.com/docs/api-reference/chat
 */
export function openaiChat(options = {}) {
    const { apiKey, headers, connectMs } = options;
    const baseUrl = withVersion(options.baseUrl ?? 'https://api.openai.com/v1');
    const http = httpClient({
        provider: API,
        baseUrl,
        apiKey,
        ...(headers ? { headers } : {}),
        ...(connectMs === undefined ? {} : { connectMs }),
    });
    const { peer } = http;
    const dialect = { ...dialectOf(new URL(baseUrl).hostname), ...options.dialect };
    async function* stream(request, { signal }) {
        const body = chatRequest(request, dialect);
        const answer = await http.send('/chat/completions', { body, accept: 'text/event-stream', signal });
        if (answer.status >= 400)
            throw await refusalOf(peer, answer);
        const about = { peer, model: request.model, ids: callIds(request.messages), endMark: dialect.endMark };
        const streamed = answer.mediaType === 'text/event-stream';
        yield* eventsOf(answer, streamed ? chatStream(about) : chatBody(about));
    }
    async function models({ signal }) {
        const answer = await http.send('/models', { accept: 'application/json', signal });
        if (answer.status >= 400)
            throw await refusalOf(peer, answer);
        return modelsIn(peer, await answer.text(MAX_FRAME));
    }
    return { api: API, capabilities: ['tools', 'reasoning', 'usage'], stream, models };
}
function withVersion(baseUrl) {
    return URL.canParse(baseUrl) && new URL(baseUrl).pathname === '/' ? new URL('/v1', baseUrl).href : baseUrl;
}
async function refusalOf(peer, answer) {
    const words = await answer.text(MAX_ERROR_BODY);
    let json;
    try {
        json = JSON.parse(words);
    }
    catch {
        // A proxy's page: the status has to say it all.
    }
    const error = errorIn(json) ?? (isRecord(json) ? json : {});
    return chatError(peer, error, { status: answer.status, header: answer.header, words });
}
/** `{"data":[{"id","created"}]}`; Together and others send the list alone. */
function modelsIn(peer, text) {
    let json;
    try {
        json = JSON.parse(text);
    }
    catch (error) {
        throw badFrame(peer, 1, text, error);
    }
    const list = isRecord(json) ? json['data'] : json;
    if (!Array.isArray(list))
        throw badFrame(peer, 1, text);
    return list.filter(isRecord).flatMap(({ id, created }) => {
        if (typeof id !== 'string')
            return [];
        return [typeof created === 'number' && created > 0 ? { id, created_at: created * 1000 } : { id }];
    });
}
