import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Context } from 'hono'
import { RunletError } from '../../core/error.ts'
import { quoted } from '../../core/quote.ts'
import type { HttpContext, HttpEnv, Route } from './env.ts'

/** The files of the page by their path, `/` among them. */
export type Page = ReadonlyMap<string, PageFile>

interface PageFile {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly type: string
  /** Digest of the bytes. */
  readonly digest: string
  /** Made for the first client that takes it. */
  gzip?: Uint8Array<ArrayBuffer>
}

/**
 * Reads the folder that `npm run build` makes of `web/`: `index.html`, and `assets`, whose names change with what they
 * hold. Throws `invalid_request` with reason `page_missing` if there is no page in it.
 */
export function readPage(folder: string): Page {
  try {
    const assets = readdirSync(join(folder, 'assets')).filter((name) => types[extname(name)] !== undefined)
    const files = assets.map((name) => [`/assets/${name}`, pageFile(join(folder, 'assets', name))] as const)
    return new Map([['/', pageFile(join(folder, 'index.html'))], ...files])
  } catch (cause) {
    throw new RunletError('invalid_request', {
      reason: 'page_missing',
      message: `there is no page in ${folder}; build it ("npm run build"), or leave the page option away`,
      cause,
    })
  }
}

/** `GET /`: the page. It holds nothing of the user's; what it shows it asks for, with the session of its cookie. */
export const showPage: Route = {
  method: 'GET',
  path: '/',
  open: true,
  linked: true,
  doc: {
    summary: 'Show the page',
    answers: {
      200: { description: 'The page.', content: { 'text/html': {} } },
      304: { description: 'The client has it.' },
    },
    problems: { 404: 'This server has none.' },
  },
  handle: serveFile,
}

/** `GET /assets/{file}`: what the page consists of. */
export const showAsset: Route = {
  method: 'GET',
  path: '/assets/:file',
  open: true,
  doc: {
    summary: 'Get a part of the page',
    path: { file: { description: 'Its name.' } },
    answers: {
      200: { description: 'The file.', content: { 'text/javascript': {}, 'text/css': {}, 'image/svg+xml': {} } },
      304: { description: 'The client has it.' },
    },
    problems: { 404: 'There is no such file.' },
  },
  handle: serveFile,
}

function serveFile(c: Context<HttpEnv>, { page }: HttpContext): Response {
  const { pathname } = new URL(c.req.url)
  const file = page?.get(pathname)
  if (!page) throw pageMissing()
  if (!file) throw absent(pathname)
  const zipped = /\bgzip\b/.test(c.req.header('accept-encoding') ?? '') && !file.type.startsWith('image/')
  const etag = `"${file.digest}${zipped ? '-gzip' : ''}"`
  for (const [name, value] of Object.entries(security)) c.header(name, value)
  c.header('Vary', 'Accept-Encoding', { append: true })
  c.header('ETag', etag)
  c.header('Cache-Control', pathname === '/' ? 'no-cache' : 'public, max-age=31536000, immutable')
  if (c.req.header('if-none-match') === etag) return c.body(null, 304)
  c.header('Content-Type', file.type)
  if (!zipped) return c.body(file.bytes, 200)
  c.header('Content-Encoding', 'gzip')
  return c.body((file.gzip ??= new Uint8Array(gzipSync(file.bytes, { level: 9 }))), 200)
}

/**
 * Nothing but our own files runs, loads or is asked, whatever a model writes; nobody frames the page, and no page that
 * it opens or was opened by can reach into it.
 */
const security = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    // `runlet` names the page's one worker, `dompurify` gives back what it has cleaned; nothing else becomes script.
    "require-trusted-types-for 'script'",
    'trusted-types dompurify runlet',
  ].join('; '),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'Referrer-Policy': 'no-referrer',
  'X-Frame-Options': 'DENY',
} as const

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
}

function pageFile(path: string): PageFile {
  const bytes = new Uint8Array(readFileSync(path))
  const digest = createHash('sha256').update(bytes).digest('base64url').slice(0, 22)
  return { bytes, type: types[extname(path)]!, digest }
}

function absent(pathname: string): RunletError {
  return new RunletError('not_found', {
    reason: 'path_unknown',
    message: `there is nothing at ${quoted(pathname)}; the page is at /`,
  })
}

/** The error of a server that was given no page. */
export const pageMissing = () =>
  new RunletError('not_found', {
    reason: 'page_missing',
    message: 'this server has no page; "runlet serve" has one, once "npm run build" has built it',
  })
