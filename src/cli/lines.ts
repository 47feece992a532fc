import type { LogOutput } from '../run/log.js'

/** Plain lines: a warning says that it is one, and the name of a group stands before its first line. */
export function plainLines(write: (line: string) => void): LogOutput {
  let group: string | undefined
  const tell = (line: string) => {
    if (group !== undefined) write(group)
    group = undefined
    write(line)
  }
  return {
    info: tell,
    warning: line => tell(`warning: ${line}`),
    error: line => tell(`error: ${line}`),
    startGroup: name => (group = name),
    endGroup: () => (group = undefined)
  }
}
