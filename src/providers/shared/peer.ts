/** The other side of a model call, as errors speak of it. */
export interface Peer {
  /** The API's name, as it stands in `RunletError.provider`. */
  readonly provider: string
  /** How messages call it: its host, and its port where it is unusual. */
  readonly name: string
  /** Takes the keys out of a text that came from it: some servers repeat in an error what they refused. */
  redact(text: string): string
}
