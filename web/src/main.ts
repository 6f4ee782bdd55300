/** Lets in whoever has a session or a one-time link; shows everybody else how to get one. */
import { errorBody, toRunletError } from '../../src/core/error.ts'
import { openApi } from './api.ts'
import { openApp } from './app.ts'
import { h } from './dom.ts'
import { openHub } from './hub-source.ts'
import { loginView } from './login.ts'
import { failure } from './notes.ts'
import { takeLoginCode } from './place.ts'
import { applyTheme } from './theme.ts'

const api = openApi()

const SIGNED_OUT = "You were signed out: the server's token was replaced, or the session ended."

async function boot(): Promise<void> {
  applyTheme()
  const code = takeLoginCode()
  try {
    if (code !== undefined) await api.login(code)
    else if (!(await api.admitted())) return askForCode(enter)
    enter()
  } catch (thrown) {
    const error = toRunletError(thrown)
    if (code !== undefined && error.code !== 'network') askForCode(enter, thrown)
    else show(h('main', { class: 'login' }, h('h1', {}, 'Runlet'), failure(errorBody(error), reload)))
  }
}

function enter(): void {
  // Whoever was put out comes back to a page that knows nothing of before.
  let inside = true
  const leave = (problem?: string) => {
    // Everything that still asks is refused, one after the other; who writes a code meanwhile keeps it.
    if (inside) askForCode(reload, problem)
    inside = false
  }
  show(openApp({ api, hub: openHub(api), onRefused: () => leave(SIGNED_OUT), onLeft: () => leave() }))
}

function askForCode(next: () => void, problem?: unknown): void {
  const tryCode = async (code: string) => {
    await api.login(code)
    next()
  }
  show(loginView(tryCode, problem))
}

function show(view: HTMLElement): void {
  document.body.replaceChildren(view)
}

const reload = () => location.reload()

// A link that is pasted into the open page changes nothing but the part behind the `#`.
addEventListener('hashchange', () => {
  if (location.hash.includes('login=')) reload()
})

void boot()
