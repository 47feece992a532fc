/** What comes with every packet or request: it tells little, and without end. */
const TRAFFIC =
  /CHANNEL_(?:DATA|EXTENDED_DATA|WINDOW_ADJUST)|^SFTP: (?!.*(?:INIT|VERSION))|outbound queue|packet queued/

/** Lines of one connection that are told. */
const MOST_LINES = 120
/** Lines of all connections. */
const MOST_IN_ALL = 1_500

/**
 * Hands the lines of SSH dialogues on, of each connection the first ones and of all a bounded number. ssh2 names
 * messages, algorithms and answers in them, and neither keys nor passwords (lib/protocol/Protocol.js).
 */
export function dialogues(tell: (line: string) => void): (connection: string) => (line: string) => void {
  let inAll = 0
  return connection => {
    let lines = 0
    return line => {
      if (TRAFFIC.test(line) || lines > MOST_LINES || inAll > MOST_IN_ALL) return
      lines++
      inAll++
      const isLast = lines > MOST_LINES || inAll > MOST_IN_ALL
      tell(`${connection}: ${isLast ? 'further lines are not shown' : line}`)
    }
  }
}
