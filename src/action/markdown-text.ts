import { printable } from '../run/printable.js'

/**
 * Text from outside, as code in which nothing is Markdown, HTML, a mention or a link: GitHub makes no mentions inside
 * of code, and what could be markup is a character reference.
 */
export function code(text: string, maxLength: number): string {
  const safe = printable(text, maxLength)
    .replace(/[^\p{L}\p{M}\p{N} ./,()+=%-]/gu, character => `&#${character.codePointAt(0) ?? 0};`)
    .replace(/www\./gi, match => match.replace('.', '&#46;'))
  return `<code>${safe}</code>`
}

/** A column of a table of things; what is on the right is a quantity, and stays in one line where there is little room. */
export interface Column<T> {
  readonly head: string
  readonly align: 'left' | 'right'
  readonly cell: (thing: T) => string
}

/** The two lines above the rows. */
export function tableHead<T>(columns: readonly Column<T>[]): string[] {
  return [
    row(columns.map(({ head }) => head)),
    row(columns.map(({ align }) => (align === 'left' ? ':--' : '--:')))
  ]
}

export function tableRow<T>(columns: readonly Column<T>[], thing: T): string {
  return row(
    columns.map(({ align, cell }) =>
      align === 'right' ? cell(thing).replaceAll(' ', '\u00a0') : cell(thing)
    )
  )
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}
