// Puts the inputs and outputs of action.yml into the tables of the README. With --check only says whether they differ.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './packages.mjs'

const readme = join(root, 'README.md')
const action = readFileSync(join(root, 'action.yml'), 'utf8')
const before = readFileSync(readme, 'utf8')
const after = ['inputs', 'outputs'].reduce((text, part) => fill(text, part, table(part)), before)
if (!process.argv.includes('--check')) writeFileSync(readme, after)
else if (after !== before) {
  console.error("README.md does not have the inputs and outputs of action.yml: run 'npm run docs'")
  process.exitCode = 1
}

function table(part) {
  const withDefault = part === 'inputs'
  const rows = entries(part).map(({ name, description, value, required }) => {
    const standard = required ? '**required**' : value === '' ? '' : `\`${value}\``
    return withDefault ? `| \`${name}\` | ${standard} | ${description} |` : `| \`${name}\` | ${description} |`
  })
  const head = withDefault ? ['| input | default | |', '|---|---|---|'] : ['| output | |', '|---|---|']
  return [...head, ...rows].join('\n')
}

/** action.yml is plain: two spaces a level, one line a value, in single or double quotes or none. */
function entries(part) {
  const body = new RegExp(`^${part}:\\n((?:(?: .*)?\\n)*)`, 'm').exec(action)?.[1] ?? ''
  return body
    .split(/^ {2}(?=\S)/m)
    .slice(1)
    .map(entry => ({
      name: entry.slice(0, entry.indexOf(':')),
      description: valueOf(entry, 'description').replaceAll('|', '\\|'),
      value: valueOf(entry, 'default'),
      required: valueOf(entry, 'required') === 'true'
    }))
}

function valueOf(entry, name) {
  const text = new RegExp(`^ {4}${name}: (.*)$`, 'm').exec(entry)?.[1] ?? ''
  return text.replace(/^'(.*)'$|^"(.*)"$/, (_, single, double) => single?.replaceAll("''", "'") ?? double)
}

function fill(text, part, content) {
  return text.replace(
    new RegExp(`<!-- ${part} -->[^]*?<!-- /${part} -->`),
    () => `<!-- ${part} -->\n\n${content}\n\n<!-- /${part} -->`
  )
}
