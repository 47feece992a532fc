import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from './documents.js'

/** What the sources say to people, with `…` in place of what they fill in. */
export interface ToldTexts {
  /** Of every string and template. */
  readonly all: ReadonlySet<string>
  /** Of errors, by their code. */
  readonly ofCode: ReadonlyMap<string, ReadonlySet<string>>
}

const src = join(root, 'src')

/** Of the sources whose path below src/, with `/`, is asked for. */
export function readToldTexts(isAskedFor: (path: string) => boolean = () => true): ToldTexts {
  const all = new Set<string>()
  const ofCode = new Map<string, Set<string>>()
  function visit(node: ts.Node, named: ReadonlyMap<string, string>): void {
    const text = textOf(node)
    if (text !== undefined) for (const line of text.split('\n')) all.add(normalize(line))
    for (const [first, second] of pairsIn(node)) {
      const code = textOf(first)
      const seen = (ts.isIdentifier(second) ? named.get(second.text) : textOf(second))?.split('\n', 1)[0]
      if (code === undefined || seen === undefined) continue
      ofCode.set(code, (ofCode.get(code) ?? new Set()).add(normalize(seen)))
    }
    ts.forEachChild(node, child => visit(child, named))
  }

  for (const path of readdirSync(src, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts') || !isAskedFor(path.replaceAll('\\', '/'))) continue
    const file = ts.createSourceFile(path, readFileSync(join(src, path), 'utf8'), ts.ScriptTarget.Latest)
    visit(file, namedTexts(file))
  }
  return { all, ofCode }
}

/**
 * Leading and trailing parts that differ, and the full stop at the end, tell nothing. What was being done stands before
 * a text, and is left to the reader.
 */
export function normalize(text: string): string {
  return text
    .replace(/…+/g, '…')
    .replace(/^…(?:: )?/, '')
    .replace(/[….: ]+$/, '')
}

/** The arguments of `new UploadError(code, text)`, and the beginning of `[code, text, …]`. */
function pairsIn(node: ts.Node): [ts.Node, ts.Node][] {
  const elements = ts.isNewExpression(node)
    ? (node.arguments ?? [])
    : ts.isArrayLiteralExpression(node)
      ? node.elements
      : []
  const [first, second] = elements
  return first === undefined || second === undefined ? [] : [[first, second]]
}

/** Texts that have a name first, by that name. */
function namedTexts(file: ts.SourceFile): Map<string, string> {
  const named = new Map<string, string>()
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer !== undefined) {
      const text = textOf(node.initializer)
      if (text !== undefined) named.set(node.name.text, text)
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return named
}

function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text
  if (!ts.isTemplateExpression(node)) return undefined
  return [node.head, ...node.templateSpans.map(({ literal }) => literal)].map(({ text }) => text).join('…')
}
