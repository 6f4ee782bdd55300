/** What the page asks the server that it came from, and no other: no address is ever taken from anywhere else. */
import { httpClient, type HttpClient } from '../../src/client/http.ts'
import { refusalOf, unreachable } from '../../src/client/http-errors.ts'
import { toRunletError } from '../../src/core/error.ts'
import type { RunHeader } from '../../src/core/log.ts'

/** What can be asked for. */
export interface Offer {
  readonly models: readonly string[]
  /** Short names, each with what it stands for. */
  readonly aliases: readonly { readonly name: string; readonly model: string }[]
  readonly defaultModel: string | undefined
  readonly tools: readonly { readonly name: string; readonly description: string }[]
  /** Providers that could not tell what they have, and why. */
  readonly errors: readonly { readonly provider: string; readonly message: string }[]
}

export interface Api extends HttpClient {
  offer(): Promise<Offer>
  /** The runs of a conversation, oldest first. */
  conversation(session: string): Promise<RunHeader[]>
  /** Whether this browser may use the server. */
  admitted(): Promise<boolean>
  /** Exchanges the code of a one-time link for a cookie that scripts cannot read. */
  login(code: string): Promise<void>
  /** Ends the session of this browser. */
  logout(): Promise<void>
}

export function openApi(): Api {
  const baseUrl = location.origin
  const client = httpClient({ baseUrl })

  async function ask(path: string, body?: object): Promise<Response> {
    let response: Response
    try {
      response = await fetch(
        `${baseUrl}${path}`,
        body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
      )
    } catch (cause) {
      throw unreachable(baseUrl, cause)
    }
    if (!response.ok) throw await refusalOf(response, baseUrl)
    return response
  }

  return {
    ...client,
    async offer() {
      const [{ models, errors }, choices] = await Promise.all([client.models(), ask('/v1/choices')])
      const { aliases, default_model, tools } = (await choices.json()) as Choices
      return {
        models: models.map(({ id }) => id),
        aliases: Object.entries(aliases).map(([name, model]) => ({ name, model })),
        defaultModel: default_model,
        tools,
        errors,
      }
    },
    conversation: (session) => client.list({ session_id: session, limit: 1_000 }).then((runs) => runs.toReversed()),
    async admitted() {
      try {
        await ask('/v1/page/session')
        return true
      } catch (error) {
        if (toRunletError(error).code === 'unauthorized') return false
        throw error
      }
    },
    async login(code) {
      await ask('/v1/page/login', { code })
    },
    async logout() {
      await ask('/v1/page/logout', {})
    },
  }
}

/** Of our own server: it is trusted to have its shape. */
interface Choices {
  readonly aliases: Readonly<Record<string, string>>
  readonly default_model?: string
  readonly tools: Offer['tools']
}
