/**
 * Renders the Markdown of a job summary for a terminal: tables in columns, headings and emphasis without their marks,
 * no diagrams.
 */
export function showMarkdown(text) {
  const lines = text.replace(/^```mermaid\n[^]*?\n```\n\n?/gm, '').split('\n')
  const shown = []
  for (let at = 0; at < lines.length; at++) {
    if (!lines[at].startsWith('|')) {
      shown.push(plain(lines[at].replace(/^#+ /, '')))
      continue
    }
    const table = []
    while (lines[at]?.startsWith('|')) table.push(cellsOf(lines[at++]))
    at--
    shown.push(...columns(table))
  }
  return shown.join('\n')
}

function cellsOf(row) {
  return row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map(cell => plain(cell.trim()))
}

function columns([head, marks, ...rows]) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map(row => row[column]?.length ?? 0)))
  const line = row =>
    row
      .map((cell, column) =>
        marks[column].endsWith(':') ? cell.padStart(widths[column]) : cell.padEnd(widths[column])
      )
      .join('  ')
  return [line(head), widths.map(width => '─'.repeat(width)).join('  '), ...rows.map(line)]
}

function plain(text) {
  return text
    .replace(/<br\s*\/?>/g, ' ')
    .replace(/<[^>]+>/g, '')
    .replace(/\*\*|`/g, '')
    .replace(/\\([\\|*_`<>~[\]])/g, '$1')
    .replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
}
