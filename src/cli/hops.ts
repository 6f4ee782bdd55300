/** Whose hands an answer went through, by what they write into its headers, and how each is told not to collect streams. */

export interface Hop {
  readonly name: string
  readonly fix: string
}

interface KnownHop extends Hop {
  /** What `server` or `via` say, in lower case. */
  readonly says?: RegExp
  /** A header that nobody else writes. */
  readonly header?: string
}

const known: readonly KnownHop[] = [
  {
    name: 'nginx',
    says: /nginx|openresty/,
    fix: 'nginx: in its location, "proxy_buffering off; proxy_cache off; gzip off; proxy_http_version 1.1; proxy_read_timeout 1h;", and no "proxy_ignore_headers X-Accel-Buffering"',
  },
  {
    name: 'Cloudflare',
    says: /cloudflare/,
    header: 'cf-ray',
    fix: 'Cloudflare: turn response buffering and compression off for this path (Rules), and let "no-transform" stand',
  },
  {
    name: 'CloudFront',
    says: /cloudfront/,
    header: 'x-amz-cf-id',
    fix: 'CloudFront: a behaviour for this path with the policies CachingDisabled and AllViewer, compression off',
  },
  {
    name: 'API Gateway',
    header: 'x-amzn-requestid',
    fix: 'API Gateway waits for whole answers: lead streams around it (a load balancer, or response streaming where there is)',
  },
  {
    name: 'Varnish or Fastly',
    says: /varnish/,
    header: 'x-varnish',
    fix: 'Varnish: "return (pass);" for this path and "set beresp.do_stream = true; set beresp.do_gzip = false;"',
  },
  {
    name: 'Apache',
    says: /apache/,
    fix: 'Apache: "ProxyPass … flushpackets=on" and "SetEnv no-gzip 1" for this path',
  },
  {
    name: 'Caddy',
    says: /caddy/,
    fix: 'Caddy: "flush_interval -1" in its reverse_proxy, and no "encode" for text/event-stream',
  },
  {
    name: 'Envoy',
    says: /envoy/,
    header: 'x-envoy-upstream-service-time',
    fix: 'Envoy: no buffer filter and no compressor on this route, and "timeout: 0s"',
  },
  {
    name: 'Azure Front Door',
    header: 'x-azure-ref',
    fix: 'Azure Front Door: caching and compression off for this route',
  },
  {
    name: 'Vercel',
    header: 'x-vercel-id',
    fix: 'Vercel: answer from a function that streams, not from a cached rewrite',
  },
  { name: 'Squid', says: /squid/, fix: 'Squid: "cache deny" and no content adaptation for this address' },
]

/** The hops that an answer tells of, the known ones. */
export function hopsIn(headers: Headers): Hop[] {
  const said = `${headers.get('server') ?? ''} ${headers.get('via') ?? ''}`.toLowerCase()
  return known.filter(({ says, header }) => says?.test(said) || (header !== undefined && headers.has(header)))
}

/** What to do about a stream that is collected. */
export function fixesFor(hops: readonly Hop[], headers: Headers): string {
  const encoding = headers.get('content-encoding')
  const compressed = encoding === null ? [] : [`turn compression (${encoding}) off for text/event-stream`]
  const fixes = hops.map(({ fix }) => fix)
  if (fixes.length > 0) return [...fixes, ...compressed].join('; ')
  const buffering =
    'turn response buffering off on the way (nginx: proxy_buffering off; gzip off for text/event-stream)'
  return [...compressed, buffering].join('; ')
}
