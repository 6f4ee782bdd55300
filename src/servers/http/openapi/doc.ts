import type { z } from 'zod'

/** What `/openapi.json` tells of a route besides its method, its path and who may call it. */
export interface RouteDoc {
  /** A few words, in the imperative. */
  readonly summary: string
  readonly description?: string
  /** Path parameters that mean something else than the id of a run or a session. */
  readonly path?: Parameters
  readonly query?: Parameters
  /** Request headers that change the answer. */
  readonly headers?: Parameters
  /** By media type. Absent: the request has no body. */
  readonly body?: Content
  /** The route can be called without its body. Default false. */
  readonly bodyOptional?: boolean
  /** By status, those that are no errors. Problems that any route may answer with need not be told. */
  readonly answers: Readonly<Record<number, Answer>>
  /** Problems of its own, by status: when they come. */
  readonly problems?: Readonly<Record<number, string>>
}

/** Parameters by name. */
export type Parameters = Readonly<Record<string, Parameter>>

export interface Parameter {
  readonly description: string
  /** Default: any string. */
  readonly schema?: z.ZodType
  readonly example?: string | number | boolean
}

export interface Answer {
  readonly description: string
  /** By media type. Absent: no body. */
  readonly content?: Content
  /** Response headers by name. */
  readonly headers?: Parameters
}

/** What a body is, by media type. */
export type Content = Readonly<Record<string, MediaContent>>

export interface MediaContent {
  /** The schema that checks it, where there is one. Absent: text of that media type. */
  readonly schema?: z.ZodType
  readonly example?: unknown
}
