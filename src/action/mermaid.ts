/**
 * A diagram as GitHub draws it from Markdown. Its lines hold numbers and our own words, never text from outside, so that
 * no file name can break or change it.
 */
export function diagram(settings: object, lines: readonly string[]): string[] {
  return ['```mermaid', `%%{init: ${JSON.stringify(settings)}}%%`, ...lines, '```']
}

/** A number as the grammars have it, without an exponent. */
export function plainNumber(value: number): string {
  return String(Number(value.toFixed(2)))
}
