import { describe, expect, test } from '@jest/globals'
import { existsSync, statSync } from 'node:fs'
import { join, posix } from 'node:path'
import { anchorOf, type Document, headingsOf, readDocument, readDocuments, root } from './documents.js'

const documents = readDocuments()

describe('a link', () => {
  test('leads to a file that is there, and to a heading in it', () => {
    const links = documents.flatMap(linksOf)
    expect(links.length).toBeGreaterThan(100)
    expect(links.filter(link => problemWith(link) !== undefined).map(problemWith)).toEqual([])
  })

  test.each([
    ['What is no part of the upload: `delete`', 'what-is-no-part-of-the-upload-delete'],
    ['No SFTP, or [none](x.md)', 'no-sftp-or-none']
  ])('finds the heading %j', (heading, anchor) => {
    expect(anchorOf(heading)).toBe(anchor)
  })
})

test('a source file that is named is there', () => {
  // Paths below src/ are named without it; what stands behind another path is of another project, or a link.
  const named =
    /(?<![\w/.-])(?:src|script|bench|docs|__tests__|core|engine|adapters|run|action|cli)\/[\w./-]+\.(?:ts|mjs)\b/g
  const all = documents.flatMap(({ path, text }) =>
    [...text.matchAll(named)].map(([file]) => ({ path, file }))
  )
  expect(all.length).toBeGreaterThan(20)
  expect(
    all.filter(({ file }) => !existsSync(join(root, file)) && !existsSync(join(root, 'src', file)))
  ).toEqual([])
})

test('the comparison has 84 rows, each with an answer and where to see it, or why not', () => {
  const rows = [...readDocument('docs/comparison.md').text.matchAll(/^\| +(\d+) \|(.*)\|$/gm)].map(
    ([, number, rest = '']) => ({ number: Number(number), cells: rest.split('|').map(cell => cell.trim()) })
  )
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 84 }, (_, index) => index + 1))
  for (const { number, cells } of rows) {
    const [, here = '', where = '', ...peers] = cells
    expect([number, here]).toEqual([
      number,
      expect.stringMatching(/^(?:yes|part|no|command line only)(?:: .+)?$/)
    ])
    expect([number, peers.length]).toEqual([number, 6])
    const isShown = here.startsWith('yes') ? /\]\([^)]+\)/ : /.{20}/
    expect([number, where]).toEqual([number, expect.stringMatching(isShown)])
  }
})

interface Link {
  readonly from: Document
  readonly target: string
}

/** Links to other sites are not looked at: a test does not depend on them. */
function linksOf(from: Document): Link[] {
  const prose = from.text.replace(/^```[^]*?^```$/gm, '').replace(/`[^`\n]*`/g, '``')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => ({ from, target }))
    .filter(({ target }) => !/^[a-z]+:/.test(target))
}

function problemWith({ from, target }: Link): string | undefined {
  const [file = '', anchor] = target.split('#')
  const path = file === '' ? from.path : posix.join(posix.dirname(from.path), file)
  const link = `${from.path}: ${target}`
  if (path.startsWith('..') || !existsSync(join(root, path))) return `${link} is not there`
  if (anchor === undefined) return undefined
  if (!path.endsWith('.md') || statSync(join(root, path)).isDirectory()) return `${link} has no headings`
  return headingsOf(readDocument(path)).map(anchorOf).includes(anchor)
    ? undefined
    : `${link} has no such heading`
}
