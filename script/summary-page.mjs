// Job summaries as a page of their own: Markdown and diagrams as GitHub shows them, as near as that can be had.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { npmFile } from './npm-file.mjs'

const MARKED = '18.2.1'
/** GitHub follows the releases of Mermaid with some delay. */
const MERMAID = '11.17.2'

const DIAGRAM = /<pre><code class="language-mermaid">([^]*?)<\/code><\/pre>/g

/**
 * A page that needs nothing else, for a light and a dark screen. A section has a `heading` and either `markdown` or the
 * `text` of a log, folded away. Where the npm registry does not answer, it shows the Markdown as it is.
 */
export async function summaryPage(title, sections, theme) {
  const tools = await summaryTools()
  const body = sections.map(section => sectionOf(section, tools?.marked)).join('\n')
  const script =
    tools === undefined ? '' : `<script>${tools.mermaid}</script>\n<script>${drawing(theme)}</script>`
  return `<!doctype html>
<html lang="en"${theme === undefined ? '' : ` data-theme="${theme}"`}>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escape(title)}</title>
<style>${STYLE}</style>
<h1>${escape(title)}</h1>
${body}
${script}
`
}

/** What turns Markdown into HTML and diagrams into pictures; undefined where it is not to be had. */
export async function summaryTools() {
  const marked = npmFile('marked', MARKED, 'lib/marked.esm.js')
  const mermaid = npmFile('mermaid', MERMAID, 'dist/mermaid.min.js')
  if (marked === undefined || mermaid === undefined) return undefined
  return {
    marked: (await import(pathToFileURL(marked).href)).marked,
    mermaid: readFileSync(mermaid, 'utf8').replaceAll('</script', '<\\/script')
  }
}

function sectionOf({ heading, markdown, text }, marked) {
  const title = `<h2>${escape(heading)}</h2>`
  if (text !== undefined) {
    return `<details><summary>${escape(heading)}</summary><pre>${escape(text)}</pre></details>`
  }
  if (marked === undefined) return `${title}<pre>${escape(markdown)}</pre>`
  const html = marked.parse(markdown).replace(DIAGRAM, '<pre class="mermaid">$1</pre>')
  return `${title}<article>${html}</article>`
}

function drawing(theme) {
  const dark =
    theme === undefined ? "matchMedia('(prefers-color-scheme: dark)').matches" : String(theme === 'dark')
  return `mermaid.initialize({ startOnLoad: true, securityLevel: 'strict', theme: ${dark} ? 'dark' : 'default' })`
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

const LIGHT = '--text: #1f2328; --page: #ffffff; --line: #d1d9e0; --soft: #f6f8fa; --code: #818b981f'
const DARK = '--text: #f0f6fc; --page: #0d1117; --line: #3d444d; --soft: #151b23; --code: #656c7633'

/** GitHub's measures and colours. */
const STYLE = `
:root { color-scheme: light; ${LIGHT} }
@media (prefers-color-scheme: dark) { :root { color-scheme: dark; ${DARK} } }
:root[data-theme=light] { color-scheme: light; ${LIGHT} }
:root[data-theme=dark] { color-scheme: dark; ${DARK} }
body { color: var(--text); background: var(--page); max-width: 900px; margin: 32px auto; padding: 0 24px;
  font: 16px/1.5 -apple-system, BlinkMacSystemFont, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif }
h1 { font-size: 24px }
h2 { font-size: 18px; margin-top: 40px; color: #59636e }
article { border: 1px solid var(--line); border-radius: 6px; padding: 8px 24px 16px }
table { border-collapse: collapse; display: block; max-width: 100%; overflow: auto; margin: 0 0 16px }
th, td { border: 1px solid var(--line); padding: 6px 13px }
tr:nth-child(2n) { background: var(--soft) }
code, pre { font: 85% ui-monospace, SFMono-Regular, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace }
code { background: var(--code); border-radius: 6px; padding: .2em .4em; white-space: break-spaces }
pre { background: var(--soft); border-radius: 6px; padding: 16px; overflow: auto; line-height: 1.45 }
pre.mermaid { background: none; padding: 0; text-align: center }
details { margin: 16px 0 }
summary { cursor: pointer }
`
