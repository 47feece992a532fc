import { readdirSync, readFileSync } from 'node:fs'
import { basename, join, posix } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import ts from 'typescript'

const src = join(import.meta.dirname, '..', 'src')

/** By the first part of the path below src/; a file there stands for itself. */
const FLOORS: Record<string, number> = {
  core: 0,
  engine: 1,
  adapters: 2,
  run: 3,
  action: 4,
  cli: 4,
  'index.ts': 5,
  'post.ts': 6,
  'cli.ts': 5,
  'esm-dirname.ts': 5,
  'small-heap.ts': 5
}

/** What core and engine may import besides each other. */
const PACKAGES: Record<string, readonly string[]> = {
  core: ['node:crypto', 'valibot'],
  engine: ['node:crypto']
}

interface Module {
  /** Below src/, with `/`. */
  readonly path: string
  readonly text: string
  /** Paths below src/, or names of packages; types included. */
  readonly imports: readonly string[]
}

const modules: readonly Module[] = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .map(path => path.replaceAll('\\', '/'))
  .filter(path => /\.m?[jt]s$/.test(path))
  .sort()
  .map(path => {
    const text = readFileSync(join(src, path), 'utf8')
    const imports = ts
      .preProcessFile(text, true, true)
      .importedFiles.map(({ fileName }) => resolve(path, fileName))
    return { path, text, imports }
  })
const byPath = new Map(modules.map(module => [module.path, module]))

function resolve(from: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts')
}

function houseOf(path: string): string {
  return path.split('/', 1)[0] ?? path
}

function floorOf(path: string): number | undefined {
  return FLOORS[houseOf(path)]
}

/** `from → to` for every import that does not hold. */
function importsThat(wrong: (from: string, to: string) => boolean): string[] {
  return modules.flatMap(({ path, imports }) =>
    imports.filter(to => wrong(path, to)).map(to => `${path} → ${to}`)
  )
}

/** Every path along imports that comes back to a module on it. */
function cycles(): string[] {
  const found: string[] = []
  const clean = new Set<string>()
  const visit = (path: string, above: readonly string[]) => {
    if (above.includes(path)) found.push([...above.slice(above.indexOf(path)), path].join(' → '))
    if (clean.has(path) || above.includes(path)) return
    for (const to of byPath.get(path)?.imports ?? []) visit(to, [...above, path])
    clean.add(path)
  }
  for (const { path } of modules) visit(path, [])
  return found
}

/** Everything that is loaded with a module: modules below src/ and packages. */
function loadedWith(path: string): ReadonlySet<string> {
  const loaded = new Set([path])
  for (const next of loaded) for (const to of byPath.get(next)?.imports ?? []) loaded.add(to)
  return loaded
}

function onlyReExports({ path, text }: Module): boolean {
  const { statements } = ts.createSourceFile(path, text, ts.ScriptTarget.Latest)
  return (
    statements.some(ts.isExportDeclaration) &&
    statements.every(statement => ts.isExportDeclaration(statement) || ts.isImportDeclaration(statement))
  )
}

describe('the floors', () => {
  test('are read with their imports, types included', () => {
    expect(byPath.get('core/upload-meta.ts')?.imports).toEqual([
      'valibot',
      'core/blocks.ts',
      'core/ledger.ts',
      'core/resume.ts',
      'core/upload-run.ts'
    ])
  })

  test('hold every module', () => {
    expect(modules.filter(({ path }) => floorOf(path) === undefined).map(({ path }) => path)).toEqual([])
  })

  test('import what exists', () => {
    expect(importsThat((_, to) => /\.m?[jt]s$/.test(to) && !byPath.has(to))).toEqual([])
  })

  test('point down or stay on their own floor', () => {
    expect(importsThat((from, to) => byPath.has(to) && (floorOf(to) ?? 0) > (floorOf(from) ?? 0))).toEqual([])
  })

  test('have no cycles among their modules', () => {
    expect(cycles()).toEqual([])
  })

  test('of the action and the command line know nothing of each other', () => {
    const programs = ['action', 'cli']
    const wrong = (from: string, to: string) =>
      programs.includes(houseOf(from)) && programs.includes(houseOf(to)) && houseOf(from) !== houseOf(to)
    expect(importsThat(wrong)).toEqual([])
  })

  test('of the action load nothing that is for the command line', () => {
    const packages = (path: string) => [...loadedWith(path)].filter(to => !byPath.has(to))
    const forTheCommandLine = ['commander', 'cli-progress', 'read']
    expect(packages('cli.ts')).toEqual(expect.arrayContaining(forTheCommandLine))
    expect(packages('index.ts').filter(name => forTheCommandLine.includes(name))).toEqual([])
  })

  test.each(Object.entries(PACKAGES))('of %s import nothing from outside but %j', (house, allowed) => {
    expect(
      importsThat((from, to) => houseOf(from) === house && !byPath.has(to) && !allowed.includes(to))
    ).toEqual([])
  })
})

describe('a module', () => {
  test('is named after what it does', () => {
    const homeless = /^(?:utils?|helpers?|common|types?|constants?)\./
    expect(modules.map(({ path }) => path).filter(path => homeless.test(basename(path)))).toEqual([])
  })

  test('holds something of its own besides what it passes on', () => {
    expect(modules.filter(onlyReExports).map(({ path }) => path)).toEqual([])
  })
})
