import ssh2, { type BaseAgent } from 'ssh2'

/**
 * An agent for ssh2, at a Unix socket, or a named pipe on Windows. What it has not answered within `limitMs` fails, and
 * its connection ends: ssh2 would wait for as long as it stays silent, and the process with it.
 */
export function createLimitedAgent(socket: string, limitMs: number): BaseAgent {
  const agent = ssh2.createAgent(socket)
  // ssh2 opens a stream for each request, and fails the request when that closes (lib/agent.js).
  const getStream = agent.getStream?.bind(agent)
  if (getStream === undefined) return agent
  agent.getStream = done => {
    getStream((error, stream) => {
      if (stream !== undefined) {
        const timer = setTimeout(() => stream.destroy(), limitMs).unref()
        stream.once('close', () => clearTimeout(timer))
      }
      done(error, stream)
    })
  }
  return agent
}
