/** Calls back for each batch of some events, each in a turn of the loop of its own, as network reads would come. */
export async function inTurns(
  events: number,
  perBatch: number,
  batch: (from: number, to: number) => void | Promise<void>,
): Promise<void> {
  for (let from = 0; from < events; from += perBatch) {
    await new Promise((resolve) => setImmediate(resolve))
    await batch(from, Math.min(events, from + perBatch))
  }
}
