import { RunletError } from '../../core/error.ts'

const DEFAULT_PORT = '11434'

/** Where servers listen on every address, and where that is reached from this machine. */
const everywhere: ReadonlyMap<string, string> = new Map([
  ['', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

/**
 * The base URL that a value of `OLLAMA_HOST` means, read as Ollama reads it: `host`, `host:port`, `:port`, an IPv6
 * address with or without brackets, `http://…`, `https://…`; and a port alone. Without a scheme the port is 11434 by
 * default, with one it is the scheme's. Throws `invalid_request` with reason `bad_base_url`.
 */
export function parseOllamaHost(value: string = ''): string {
  const [, scheme, rest] = /^(?:(https?):\/\/)?(.*)$/is.exec(value.trim())!
  const [authority = '', ...path] = rest!.split('/')
  const { host, port } = hostAndPort(authority)
  const reached = everywhere.get(host) ?? host
  const shown = reached.includes(':') ? `[${reached}]` : reached
  const suffix = port === '' ? (scheme === undefined ? `:${DEFAULT_PORT}` : '') : `:${port}`
  const url = `${scheme ?? 'http'}://${shown}${suffix}/${path.join('/')}`
  if (/[@\s?#]/.test(rest!) || rest!.includes('://') || !URL.canParse(url)) {
    throw new RunletError('invalid_request', {
      reason: 'bad_base_url',
      message: 'the host of Ollama is no address; write host:port or http://host:port, for example 127.0.0.1:11434',
    })
  }
  return new URL(url).href.replace(/\/+$/, '')
}

function hostAndPort(authority: string): { readonly host: string; readonly port: string } {
  if (/^\d+$/.test(authority)) return { host: '', port: authority }
  const bracketed = /^\[([^\]]*)\](?::(\d+))?$/.exec(authority)
  if (bracketed) return { host: bracketed[1]!, port: bracketed[2] ?? '' }
  const parts = authority.split(':')
  // More than one colon and no bracket: an IPv6 address alone.
  return parts.length > 2 ? { host: authority, port: '' } : { host: parts[0]!, port: parts[1] ?? '' }
}
