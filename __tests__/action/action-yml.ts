import { readFileSync } from 'node:fs'

interface Entry {
  readonly default: string
  readonly required: boolean
}

/** Reads the names, defaults and `required` of inputs or outputs from our own action.yml: plain YAML, two spaces. */
export function readActionSection(section: 'inputs' | 'outputs'): Map<string, Entry> {
  const text = readFileSync(new URL('../../action.yml', import.meta.url), 'utf8')
  const body = new RegExp(`^${section}:\\n((?:(?: .*)?\\n)*)`, 'm').exec(text)?.[1] ?? ''
  const entries = body.matchAll(/^ {2}([\w-]+):\n((?: {4}.*\n)*)/gm)
  return new Map(
    [...entries].map(([, name = '', fields = '']) => [
      name,
      {
        default: /^ {4}default: '(.*)'$/m.exec(fields)?.[1] ?? '',
        required: /^ {4}required: true$/m.test(fields)
      }
    ])
  )
}

/** What the runner hands to a step that gives these inputs: the defaults for all others. */
export function inputsOf(given: Readonly<Record<string, string>>): (name: string) => string {
  const inputs = readActionSection('inputs')
  return name => given[name] ?? inputs.get(name)?.default ?? ''
}
