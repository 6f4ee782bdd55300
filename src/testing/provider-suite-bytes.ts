/** The cases of the provider suite that cut bytes. They run on the decoder alone, so that every cut can be tried. */
import assert from 'node:assert/strict'
import type { ProviderEvent } from '../core/provider.ts'
import { chunked, decodeAll, everySplit, everyTruncation, type Decoded } from './every-split.ts'
import { asRunletError, comparable, holdOrder, sumOf, type Sum } from './provider-suite-checks.ts'
import type { ExpectedAnswer, ExpectedFailure, ProviderSuite, Recording, SuiteCase } from './provider-suite.ts'

export function byteCases({ decoder, maxWork = 16 << 20 }: ProviderSuite, recording: Recording): SuiteCase[] {
  const { name, bytes, mediaType, expected } = recording
  const decoded = (chunks: Iterable<Uint8Array>) => decodeAll(decoder(mediaType), chunks)
  const stride = Math.ceil(bytes.length ** 2 / maxWork)
  return [
    {
      name: `${name}: says what was recorded, in legal order`,
      async run() {
        holdExpected(decoded([bytes]), expected)
      },
    },
    {
      name: `${name}: says the same however the bytes are cut`,
      async run() {
        const whole = comparable(decoded([bytes]))
        let at = 0
        for (const chunks of everySplit(bytes)) {
          if (at++ % stride === 0) assert.equal(comparable(decoded(chunks)), whole, `cut at ${at - 1}`)
        }
        for (let size = 1; size <= 64; size++) {
          assert.equal(comparable(decoded(chunked(bytes, size))), whole, `in pieces of ${size}`)
        }
      },
    },
    {
      name: `${name}: no beginning of it passes for an answer`,
      async run() {
        const whole = sumOf(decoded([bytes]).out)
        for (const prefix of everyTruncation(bytes, stride)) holdCut(decoded([prefix]), { prefix, whole, recording })
      },
    },
  ]
}

function holdCut(
  { out, fault }: Decoded<ProviderEvent>,
  { prefix, whole, recording }: { readonly prefix: Uint8Array; readonly whole: Sum; readonly recording: Recording },
): void {
  const { bytes, expected, completeAt = bytes.length } = recording
  const at = `cut after ${prefix.length} of ${bytes.length} bytes`
  const sum = sumOf(out)
  assert(whole.text.startsWith(sum.text) && whole.reasoning.startsWith(sum.reasoning), `${at}: another text`)
  for (const call of sum.calls) {
    assert(
      whole.calls.some((known) => known.call_id === call.call_id),
      `${at}: a call that is not in the whole`,
    )
    assert.deepEqual(
      call,
      whole.calls.find((known) => known.call_id === call.call_id),
      `${at}: half a call`,
    )
  }
  if (fault === undefined) {
    holdOrder(out, true)
    assert(prefix.length >= completeAt, `${at}: it passes for an answer`)
    assert.deepEqual({ ...sum, usage: 0 }, { ...whole, usage: 0 }, `${at}: a shorter answer`)
    return
  }
  holdOrder(out, false)
  const { code, reason } = asRunletError(fault)
  if ('code' in expected && reason === expected.reason) return
  assert.deepEqual([code, reason], ['network', 'stream_eof_before_done'], at)
}

function holdExpected({ out, fault }: Decoded<ProviderEvent>, expected: ExpectedAnswer | ExpectedFailure): void {
  const sum = sumOf(out)
  if ('code' in expected) {
    holdOrder(out, false)
    const { code, reason } = asRunletError(fault)
    assert.deepEqual({ code, reason, text: sum.text }, expected)
    return
  }
  if (fault !== undefined) throw fault
  holdOrder(out, true)
  const { calls, ...rest } = sum
  const found: Record<string, unknown> = { ...rest, calls: calls.map(({ name, input }) => ({ name, input })) }
  for (const [member, value] of Object.entries(expected)) assert.deepEqual(found[member], value, member)
}
