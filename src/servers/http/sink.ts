/** Where a reader's bytes go. It never refuses any; `room` says when to wait. */
export interface Sink {
  /** Handed over and not yet taken by the other side. Bytes, framing included. */
  readonly pending: number
  /** May this many more bytes be handed over at once? Always true when nothing is pending. */
  room(bytes: number): boolean
  write(bytes: Uint8Array): void
  /** Resolves when there is room again, and when the connection is gone. */
  drained(): Promise<void>
  /** Nothing more will be written; what is pending may still be taken. */
  end(): void
  /** Cuts the connection; what is pending is lost. */
  destroy(): void
  /** Calls back once, when the connection is over: cut by the other side, or after `end`, when all was taken. */
  onClose(callback: () => void): void
}
