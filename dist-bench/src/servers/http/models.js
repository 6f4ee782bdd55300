import { errorBody, toRunletError } from '../../core/error.js';
import { readQuery } from './query.js';
/** `GET /v1/models`: as OpenAI's clients know it, and for each provider that could not tell, why. */
export const listModels = {
    method: 'GET',
    path: '/v1/models',
    async handle(c, { runtime }) {
        readQuery(c.req.url, []);
        const answers = await runtime.models({ signal: c.req.raw.signal });
        return c.json({
            object: 'list',
            data: answers.flatMap(({ provider, models }) => models.map(({ id, created_at = 0 }) => ({
                id: `${provider}/${id}`,
                object: 'model',
                created: Math.floor(created_at / 1000),
                owned_by: provider,
            }))),
            errors: answers.flatMap(({ provider, error }) => error ? [{ provider, ...errorBody(toRunletError(error)) }] : []),
        });
    },
};
/** `GET /healthz`: whether the server answers, and nothing else; so it needs no token. */
export const health = {
    method: 'GET',
    path: '/healthz',
    open: true,
    handle(c) {
        return c.json({ status: 'ok' });
    },
};
