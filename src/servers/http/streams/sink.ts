/** Where a reader's bytes go. It never refuses any, but says when it has enough. */
export interface Sink {
  /** Bytes handed over and not yet taken by the other side, framing included. */
  readonly pending: number
  /** So much is pending that the reader should wait until it is taken. */
  readonly full: boolean
  write(bytes: Uint8Array): void
  /** Resolves when there is room again, and when the connection is gone. One call at a time. */
  drained(): Promise<void>
  /** Nothing more will be written; what is pending may still be taken. */
  end(): void
  /** Cuts the connection; what is pending is lost. The reason is for whoever holds the other end in this process. */
  destroy(reason: string): void
  /** Calls back once, when the connection is over: cut by the other side, or after `end`, when all was taken. */
  onClose(callback: () => void): void
}
