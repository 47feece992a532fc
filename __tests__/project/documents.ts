import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..', '..')

/** One Markdown file for people. */
export interface Document {
  /** From the root, with `/`. */
  readonly path: string
  readonly text: string
}

/** A fenced block. */
export interface CodeBlock {
  /** `docs/recipes.md line 12`, for messages of tests. */
  readonly place: string
  readonly language: string
  readonly text: string
}

export function readDocument(path: string): Document {
  return { path, text: readFileSync(join(root, path), 'utf8') }
}

/** Those in the root, and below the directories that have some. */
export function readDocuments(): Document[] {
  const below = ['docs', '.github', 'bench'].flatMap(directory =>
    readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' }).map(
      path => `${directory}/${path.replaceAll('\\', '/')}`
    )
  )
  return [...readdirSync(root), ...below]
    .filter(path => path.endsWith('.md'))
    .sort()
    .map(readDocument)
}

export function codeBlocksOf({ path, text }: Document): CodeBlock[] {
  return [...text.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].map(
    ({ index, 1: language = '', 2: block = '' }) => ({
      place: `${path} line ${text.slice(0, index).split('\n').length}`,
      language,
      text: block
    })
  )
}

/** The texts of headings, without their marks, whatever their level; what looks like one within a block is none. */
export function headingsOf({ text }: Document): string[] {
  const prose = text.replace(/^```[^]*?^```$/gm, '')
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)
}

/** As GitHub makes the anchor of a heading: its letters, digits, hyphens and underscores, in lower case. */
export function anchorOf(heading: string): string {
  const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '')
  return plain
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}
