const MAX_LENGTH = 300

/**
 * What a server said, for a message of ours: one line of at most 300 characters. It may hold anything, and the lines of
 * our messages are ours.
 */
export function serverText(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}…` : line
}
