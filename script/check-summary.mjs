// Shows job summaries of every kind to the real Mermaid, in Chromium: every diagram must be drawn, and every file name,
// those made up at random included, must be shown as it is. `--pictures DIRECTORY` leaves a picture of each, on a light
// and on a dark page. Where there is no Chromium or no npm registry, a line says so.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { installPackages, root } from './packages.mjs'
import { summaryPage, summaryTools } from './summary-page.mjs'

const RANDOM_CASES = 150
const CHROMIUMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
/** Of time as the page sees it, which goes by as fast as the page can follow. */
const BUDGET_MS = 600_000
const LIMIT_MS = 120_000

installPackages()
const work = mkdtempSync(join(tmpdir(), 'summary-'))
try {
  const chromium = CHROMIUMS.find(program => spawnSync(program, ['--version']).status === 0)
  const tools = chromium === undefined ? undefined : await summaryTools()
  if (chromium === undefined) console.log('There is no Chromium here')
  if (tools === undefined) console.log('The job summaries were NOT checked with Mermaid')
  else await check(chromium, tools)
} finally {
  rmSync(work, { recursive: true, force: true })
}

async function check(chromium, tools) {
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc')], {
    cwd: root,
    stdio: 'inherit'
  })
  if (status !== 0) throw new Error('src/ does not compile')
  const { CASES, randomCases } = await import('./summary-cases.mjs')
  const { printable } = await import('../lib/run/printable.js')
  const expectations = [
    ...Object.entries(CASES).map(([name, summary]) => ({ name, ...summary })),
    ...randomCases(RANDOM_CASES, Number(process.env.PROPERTY_SEED ?? 1)).map((summary, index) => ({
      name: `random ${index}`,
      ...summary
    }))
  ].map(({ name, markdown, diagrams, names }) => ({
    name,
    diagrams,
    names: names?.map(text => printable(text, 200)).sort(),
    html: tools.marked.parse(markdown)
  }))
  const problems = look(chromium, tools, expectations)
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exitCode = 1
  else console.log(`Mermaid draws the job summaries: ${expectations.length} of them, nothing is wrong`)
  const at = process.argv.indexOf('--pictures')
  if (at > 0) await takePictures(chromium, CASES, process.argv[at + 1])
}

/** What is wrong, in the browser's own words. */
function look(chromium, { mermaid }, expectations) {
  const data = JSON.stringify(expectations).replaceAll('<', '\\u003c')
  const page = join(work, 'check.html')
  writeFileSync(
    page,
    `<!doctype html><meta charset="utf-8"><title>not done</title><main></main><script>${mermaid}</script>
<script>const expectations = ${data}; (${judge})().catch(error => [String(error)]).then(problems => {
  document.documentElement.innerHTML = ''; document.documentElement.textContent = 'JSON' + JSON.stringify(problems) + 'END' })</script>`
  )
  const shown = browse(chromium, [
    `--virtual-time-budget=${BUDGET_MS}`,
    '--dump-dom',
    pathToFileURL(page).href
  ])
  const json = /JSON(.*)END/s.exec(shown)?.[1]
  if (json === undefined) return [`Chromium did not come to an end: ${shown.slice(0, 500)}`]
  return JSON.parse(json.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&'))
}

/** Runs in the browser. */
async function judge() {
  /* global document, mermaid, expectations */
  const problems = []
  mermaid.initialize({ startOnLoad: false, securityLevel: 'strict' })
  const main = document.querySelector('main')
  const drawn = new Set()
  for (const { name, html, diagrams, names } of expectations) {
    main.innerHTML = html
    const blocks = [...main.querySelectorAll('code.language-mermaid')].map(block => block.textContent)
    if (diagrams !== undefined && blocks.length !== diagrams)
      problems.push(`${name}: ${blocks.length} diagrams`)
    for (const text of blocks.filter(text => !drawn.has(text))) {
      drawn.add(text)
      try {
        const { svg } = await mermaid.render(`diagram-${drawn.size}`, text)
        if (/NaN|Infinity|class="error-icon"/.test(svg))
          problems.push(`${name}: a diagram has no sense: ${text}`)
      } catch (error) {
        problems.push(`${name}: ${error}: ${text}`)
      }
    }
    const shown = [...main.querySelectorAll('td:nth-child(2) > code:first-child')].map(
      cell => cell.textContent
    )
    if (names !== undefined && JSON.stringify(shown.sort()) !== JSON.stringify(names))
      problems.push(`${name}: the names are ${JSON.stringify(shown)} instead of ${JSON.stringify(names)}`)
    const strange = main.querySelector('script, img, a, h1, h2, h4, h5, h6')
    if (strange !== null) problems.push(`${name}: has ${strange.outerHTML}`)
  }
  return problems
}

async function takePictures(chromium, cases, directory) {
  mkdirSync(directory, { recursive: true })
  for (const theme of ['light', 'dark']) {
    for (const [name, { markdown }] of Object.entries(cases)) {
      const page = join(work, 'picture.html')
      writeFileSync(page, await summaryPage(name, [{ heading: 'Job summary', markdown }], theme))
      const picture = join(directory, `${name.replaceAll(/[^\w]+/g, '-')}-${theme}.png`)
      browse(chromium, [
        '--hide-scrollbars',
        '--window-size=1000,1500',
        '--virtual-time-budget=10000',
        `--screenshot=${picture}`,
        pathToFileURL(page).href
      ])
    }
  }
}

function browse(chromium, options) {
  const { stdout, error } = spawnSync(
    chromium,
    [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--user-data-dir=${join(work, 'profile')}`,
      ...options
    ],
    { encoding: 'utf8', timeout: LIMIT_MS, maxBuffer: 64 * 1024 * 1024 }
  )
  if (error !== undefined) throw error
  return stdout
}
