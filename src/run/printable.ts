const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Control and format characters (ANSI sequences begin with one), line separators and lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/**
 * Makes text from file names and servers safe for one line of the log: what could move the cursor, break the line or
 * start a workflow command is shown as an escape. Longer text is cut off with `…` after `maxLength` characters.
 *
 * The runner takes a line for a command when `::` begins it, after blanks, or when it has `##[` anywhere
 * (actions/runner, ActionCommand.cs).
 */
export function printable(text: string, maxLength = 1000): string {
  const short = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
  return short
    .replace(UNPRINTABLE, escape)
    .replace(/^\s*::/, start => start.replace('::', '\\x3a:'))
    .replaceAll('##[', '##\\x5b')
}

/** The same for a text of several lines, which stay apart. */
export function printableLines(text: string): string {
  return text
    .split('\n')
    .map(line => printable(line))
    .join('\n')
}

function escape(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return NAMED[character] ?? (code < 256 ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 4)}}`)
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
