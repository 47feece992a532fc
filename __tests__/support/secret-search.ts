import { beforeEach, expect } from '@jest/globals'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readEntry } from './cache-service-archive.js'
import { startCommand, type Command, type CommandOptions } from './command.js'
import type { Environment, Inputs, Phase, PhaseResult, Runner } from './runner.mjs'
import { listFiles, makeDirectory, readAll, unmaskedLog, type Site } from './runner-site.js'
import type { Needles } from './secret-needles.js'
import { startSftpServer, type SftpServer } from './sftp-server.mjs'
import { startSshd, type Sshd, type SshdOptions } from './sshd.js'
import { watchProcesses, type ProcessWatch } from './started-processes.js'

/** Whatever runs here leaves logs, files and processes, and `expectNothingTold` looks at all of them. */
export interface SecretSearch {
  /** From here on these must not be found. */
  hide(...needles: readonly Needles[]): void
  machine(options?: Parameters<Site['machine']>[0]): Promise<Runner>
  /** With debug logging. */
  startMain(on: Runner, inputs: Inputs, environment?: Environment): Promise<Phase>
  runPost(on: Runner): Promise<void>
  /** Runs main and post, and returns main. */
  run(on: Runner, inputs: Inputs, environment?: Environment): Promise<PhaseResult>
  /** A home directory for the command line, with these known hosts. */
  makeHome(knownHosts: string): Promise<string>
  /** Starts the command line in the directory `project` of that home. */
  startCommand(home: string, argv: readonly string[], options?: Partial<CommandOptions>): Command
  /** Another sshd than the site's. */
  startSshd(options: SshdOptions): Promise<Sshd>
  /** A server in this process where `deploy` logs in with a password. What clients see as `/` is its own. */
  startServer(password: string): Promise<SftpServer>
  /** Looks everywhere but where the runner itself is told what to mask. */
  expectNothingTold(): Promise<void>
}

const debug = { RUNNER_DEBUG: '1', ACTIONS_STEP_DEBUG: 'true', DEBUG: '*' }

/** Makes a search for each test. Call it in a describe, after `useSite`. */
export function useSecretSearch(site: Site): SecretSearch {
  let needles: Map<string, string>
  let texts: string[][]
  let directories: string[]
  let sshds: Sshd[]
  let processes: ProcessWatch

  beforeEach(async () => {
    needles = new Map()
    texts = []
    directories = []
    sshds = [site.sshd]
    processes = site.closeLater(await watchProcesses())
  })

  function notePhase(phase: PhaseResult): void {
    const { log, outputs, state, summary } = phase
    texts.push(
      ['raw log', unmaskedLog(phase)],
      ['log', log],
      ['outputs', JSON.stringify(outputs)],
      ['saved state', JSON.stringify(state)],
      ['summary', summary]
    )
  }

  async function makeSearched(name: string): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), name))
    site.closeLater({ close: () => rm(directory, { recursive: true, force: true }) })
    directories.push(directory)
    return directory
  }

  async function places(): Promise<[place: string, text: string][]> {
    const { entries, requests } = site.cache
    return [
      ...texts.map(([place = '', text = ''], index): [string, string] => [`${index}: ${place}`, text]),
      ['processes', await processes.noted()],
      ...sshds.map((sshd, index): [string, string] => [`log of sshd ${index}`, sshd.log()]),
      ['keys asked of the cache', requests.map(({ key = '' }) => key).join('\n')],
      ...(await Promise.all(
        entries.map(async (entry): Promise<[string, string]> => [
          `cache entry ${entry.key}`,
          `${entry.key}\n${await readEntry(entry)}`
        ])
      )),
      ...(await Promise.all(
        [...directories, ...sshds.map(({ root }) => root)].map(
          async (directory): Promise<[string, string]> => [
            directory,
            `${(await listFiles(directory)).join('\n')}\n${await readAll(directory)}`
          ]
        )
      ))
    ]
  }

  const search: SecretSearch = {
    hide(...more) {
      for (const [what, needle] of more.flatMap(each => [...each])) needles.set(what, needle)
    },
    async machine(options) {
      const made = await site.machine(options)
      directories.push(made.temp, made.workspace)
      return made
    },
    async startMain(on, inputs, environment = {}) {
      const home = { HOME: on.temp, TMPDIR: on.temp }
      const all = { ...debug, ...home, ...processes.environment, ...environment }
      const phase = await on.startMain(inputs, all)
      void phase.done.then(notePhase, () => undefined)
      return phase
    },
    async runPost(on) {
      notePhase(await on.runPost())
    },
    async run(on, inputs, environment) {
      const phase = await search.startMain(on, inputs, environment)
      const main = await phase.done
      await search.runPost(on)
      return main
    },
    async makeHome(knownHosts) {
      const home = await makeSearched('home-')
      await makeDirectory(home, 'project')
      await writeFile(join(await makeDirectory(home, '.ssh'), 'known_hosts'), knownHosts)
      return home
    },
    startCommand(home, argv, options = {}) {
      const environment = {
        HOME: home,
        TMPDIR: home,
        DEBUG: '*',
        ...processes.environment,
        ...options.environment
      }
      const directory = join(home, 'project')
      const command = startCommand(join(site.actionPath, 'dist'), argv, {
        directory,
        ...options,
        environment
      })
      void command.done.then(
        ({ stdout, stderr }) => texts.push(['standard output', stdout], ['standard error', stderr]),
        () => undefined
      )
      return command
    },
    async startSshd(options) {
      const sshd = site.closeLater(await startSshd(options))
      sshds.push(sshd)
      return sshd
    },
    async startServer(password) {
      const users = [{ username: 'deploy', password }]
      return site.closeLater(await startSftpServer({ root: await makeSearched('disk-'), users }))
    },
    async expectNothingTold() {
      const searched = await places()
      const found = searched.flatMap(([place, text]) =>
        [...needles].filter(([, needle]) => text.includes(needle)).map(([what]) => `${what} in ${place}`)
      )
      expect(found).toEqual([])
      // The search itself: what has to be there is found.
      expect([needles.size, texts.length]).not.toContain(0)
      const noted = new Map(searched).get('processes')
      expect(noted).toContain(site.actionPath)
      if (site.cache.entries.length > 0) expect(noted).toMatch(/tar$/m)
    }
  }
  return search
}
