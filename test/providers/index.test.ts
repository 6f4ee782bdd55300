import { expect, test } from 'vitest'
import { providers } from '../../src/providers/index.ts'
import { loopback } from '../../src/testing/loopback.ts'

for (const [api, make] of Object.entries(providers)) {
  test(`providers: ${api} is made from a row of a configuration, and asks its server with its key`, async () => {
    const server = await loopback((_, response) => {
      response.end('{"data":[{"id":"m"}],"models":[{"name":"m"}]}')
    })
    const provider = make({ base_url: server.url, api_key: 'key-of-the-row' })
    expect(provider.api).toBe(api)
    expect(await provider.models({ signal: new AbortController().signal })).toEqual([{ id: 'm' }])
    expect(server.requests[0]!.headers['authorization']).toBe('Bearer key-of-the-row')
    await server.close()
  })

  test(`providers: ${api} has a place of its own without a configuration`, () => {
    expect(make({}).api).toBe(api)
  })
}
