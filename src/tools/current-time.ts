import type { Clock } from '../core/clock.ts'
import { RunletError } from '../core/error.ts'
import type { Tool } from '../core/tool.ts'

/** Tells the time: ISO 8601 in UTC, or in a time zone with its name. */
export function currentTime(clock: Clock): Tool {
  return {
    name: 'current_time',
    description: 'The current date and time: ISO 8601 in UTC, and in words in a time zone if one is given.',
    idempotent: true,
    parameters: {
      type: 'object',
      properties: {
        time_zone: {
          type: 'string',
          maxLength: 64,
          description: 'IANA name, for example "Europe/Berlin". Default UTC.',
        },
      },
      additionalProperties: false,
    },
    async run(input) {
      const { time_zone }: { readonly time_zone?: string } = input
      const now = new Date(clock.now())
      return time_zone === undefined ? now.toISOString() : `${now.toISOString()} (${inZone(now, time_zone)})`
    },
  }
}

function inZone(now: Date, timeZone: string): string {
  try {
    const words = new Intl.DateTimeFormat('en-GB', { timeZone, dateStyle: 'full', timeStyle: 'long' })
    return `${words.format(now)}, ${timeZone}`
  } catch (cause) {
    throw new RunletError('invalid_request', {
      reason: 'bad_time_zone',
      message: `"${timeZone}" is not a known time zone; use an IANA name such as "Europe/Berlin", or none for UTC`,
      cause,
    })
  }
}
