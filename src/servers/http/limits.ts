/** Every bound of the HTTP server. Milliseconds and bytes, as the names say. */
export interface HttpLimits {
  /** Longest request body. Default 10 MiB. */
  readonly maxBodyBytes: number
  /** Longest line of a request whose body is lines. Default 1 MiB. */
  readonly maxLineBytes: number
  /** Longest silence on a stream before a sign of life. Default 15,000. */
  readonly heartbeatMs: number
  /** A reader that takes no byte for this long is closed. Default 30,000. */
  readonly stallMs: number
  /**
   * Handed to one connection and not yet taken by it; then the reader stops pulling and falls behind in the log.
   * Default 64 KiB: the kernel's own buffer keeps a fast line busy, and a slow reader's progress stays visible.
   */
  readonly maxPendingBytes: number
  /** A reader that comes back from being more events behind than this is told so. Default 1,000. */
  readonly lagEvents: number
  /** Default 10,000. */
  readonly maxConnections: number
  /**
   * Connections that have shown no token yet. Of more than that, those that have been quiet longest are cut. Default
   * 1,024, which take at most 64 MiB, whatever they send.
   */
  readonly maxStrangers: number
  /** From the connection to the end of the request's headers. Default 10,000. */
  readonly headersMs: number
  /** From the connection to the end of the request's body, unless its answer began before. Default 60,000. */
  readonly bodyMs: number
  /** How long a connection without a request is kept. Default 5,000. */
  readonly keepAliveMs: number
  /** How long an idempotency key holds. Default 24 hours. */
  readonly idempotencyMs: number
  /** How long `close` waits for readers to take their last bytes. Default 1,000. */
  readonly closeMs: number
}

/** The bounds of a stream. */
export type StreamLimits = Pick<HttpLimits, 'heartbeatMs' | 'stallMs' | 'maxPendingBytes' | 'lagEvents'>

export const defaultHttpLimits: HttpLimits = {
  maxBodyBytes: 10 * 1024 * 1024,
  maxLineBytes: 1024 * 1024,
  heartbeatMs: 15_000,
  stallMs: 30_000,
  maxPendingBytes: 64 * 1024,
  lagEvents: 1_000,
  maxConnections: 10_000,
  maxStrangers: 1_024,
  headersMs: 10_000,
  bodyMs: 60_000,
  keepAliveMs: 5_000,
  idempotencyMs: 24 * 60 * 60 * 1000,
  closeMs: 1_000,
}
