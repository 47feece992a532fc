import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { FileResult } from '../../src/core/report.js'
import { artifactBytes } from '../support/artifact.js'
import { startLink, type Link } from '../support/link.mjs'
import { MemoryStore } from '../support/memory-store.js'
import { until } from '../support/runner-site.js'
import { generateKeyPair, startSftpServer, type SftpServer } from '../support/sftp-server.mjs'
import { LocalFiles, sha256 } from './local-files.js'
import { missingBytes } from './missing-bytes.js'
import { scenarioOf, type AttemptPlan, type Scenario } from './scenario.js'
import { Troubles } from './troubles.js'
import { Watch } from './watch.js'
import { keys, playRun, type Run } from './watched-run.js'

const MIB = 1024 * 1024
/** Of real time: within it a dark line is found out. */
const STALL_MS = 300
const PATIENT_MS = 20_000
const RUN = '100'
const hostKey = generateKeyPair().private

/**
 * Plays the scenario of the seed: attempts with what goes wrong in them, over the real adapters and a socket, then one
 * without trouble.
 *
 * @throws Error that names each promise that was broken.
 */
export async function playRound(seed: number): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'chaos-'))
  const round = await Round.begin(base, seed)
  try {
    await round.play()
  } finally {
    await round.end()
    await rm(base, { recursive: true })
  }
}

class Round {
  private readonly watch: Watch
  private readonly store = new MemoryStore()
  private readonly rivals: LocalFiles[] = []
  private readonly old = new Map<string, string>()
  /** No part file can be left that no state knows of. */
  private isTidy = true

  private constructor(
    private readonly base: string,
    private readonly seed: number,
    private readonly scenario: Scenario,
    private readonly local: LocalFiles,
    private readonly server: SftpServer,
    private readonly link: Link
  ) {
    const { empties, replaces, files } = scenario
    this.watch = new Watch(this.root, keys, remote => this.versionsOf(remote))
    this.watch.watchesLedger = !empties
    for (const [index, remote] of this.remotes().entries()) {
      if (!replaces) break
      const bytes = artifactBytes((files[index] ?? 0) + (index % 2), `old ${seed} ${index}`)
      mkdirSync(dirname(join(this.root, remote)), { recursive: true })
      writeFileSync(join(this.root, remote), bytes)
      this.old.set(remote, sha256(bytes))
    }
  }

  static async begin(base: string, seed: number): Promise<Round> {
    const scenario = scenarioOf(seed)
    const root = join(base, 'root')
    mkdirSync(root)
    const local = new LocalFiles(join(base, 'local'), scenario.files, String(seed))
    const server = await startSftpServer({ root, hostKeys: [hostKey], ...scenario.server })
    return new Round(base, seed, scenario, local, server, await startLink({ port: server.port }))
  }

  async play(): Promise<void> {
    for (const [index, plan] of this.scenario.attempts.entries()) await this.attempt(plan, index + 1)
    await this.lastAttempt()
    const { broken } = this.watch
    if (broken.size > 0) throw new Error([...broken].join('\n'))
  }

  async end(): Promise<void> {
    await this.link.close()
    await this.server.close()
  }

  private async attempt(plan: AttemptPlan, attempt: number): Promise<void> {
    const { local, store, link, server, watch } = this
    for (const change of plan.changes) local.change(change)
    if (plan.lost > 0) store.lose(plan.lost)
    if (plan.lost > 0 || plan.rival !== 'none') this.isTidy = false

    const bytes = this.scenario.files.reduce((sum, size) => sum + size, 0)
    const troubles = new Troubles(plan, { link, server, bytes, change: () => local.change(plan.midChange) })
    this.setFaults(plan)
    const swaps = this.swaps(plan)
    server.faults.forge = (request, honest) => {
      watch.request(request, honest, swaps)
      return troubles.loses(request) ? [] : [honest]
    }
    link.bytesPerSecond = plan.slowMs === undefined ? undefined : MIB + (bytes * 1000) / plan.slowMs
    link.delayMs = plan.delayMs
    troubles.begin()

    const { connections, retries, intervalMs } = plan
    const rival = this.rivalOf(plan)
    const shared = { troubles, connections, retries, intervalMs, swaps, patienceMs: STALL_MS }
    const writer = { run: RUN, attempt, runner: `runner ${attempt}` }
    const runs = [this.run({ ...shared, local, store, writer, rivals: rival === undefined ? [] : [rival] })]
    if (rival !== undefined) {
      runs.push(
        this.run({
          ...shared,
          troubles: Troubles.none(),
          local: rival,
          store: plan.rivalsShareState ? store : new MemoryStore(),
          writer: { run: '200', attempt, runner: 'rival' },
          rivals: [local]
        })
      )
    }
    const [results = []] = await Promise.all(runs)
    troubles.end()
    const isAnyInPlace = results.some(({ status }) => status !== 'failed')
    if (troubles.isKilled || (troubles.haveHappened && isAnyInPlace)) this.isTidy = false
  }

  /** Nothing goes wrong any more: everything gets there, what is missing is sent and nothing else, and nothing stays. */
  private async lastAttempt(): Promise<void> {
    const { local, store, link, server, scenario, watch } = this
    link.bytesPerSecond = undefined
    link.delayMs = 0
    this.setFaults(undefined)
    await until(() => server.openChannels === 0, PATIENT_MS, 'the sessions of earlier attempts have ended')
    const swaps = this.swaps(undefined)
    server.faults.forge = (request, honest) => {
      watch.request(request, honest, swaps)
      return [honest]
    }
    const writer = { run: RUN, attempt: scenario.attempts.length + 1, runner: 'last' }
    const missing = missingBytes(local, store.text, {
      root: this.root,
      keys,
      claimant: { ...writer, job: '' },
      verify: scenario.verify
    })
    const before = server.stats.bytesWritten
    const results = await this.run({
      local,
      store,
      writer,
      troubles: Troubles.none(),
      connections: 3,
      retries: 1,
      intervalMs: 0,
      patienceMs: PATIENT_MS,
      swaps,
      rivals: []
    })
    for (const { file, error } of results) {
      if (error !== undefined) watch.broken.add(`P7: ${file.remote} fails without trouble: ${error.message}`)
    }
    const written = server.stats.bytesWritten - before
    if (!scenario.empties && written > missing)
      watch.broken.add(`P7: ${written} bytes sent, ${missing} were missing`)
    const strangers = watch.strangers(this.remotes())
    if (this.isTidy && strangers.length > 0) watch.broken.add(`left behind: ${strangers.join(', ')}`)
  }

  private run(run: Run): Promise<readonly FileResult[]> {
    const { server, link, scenario, watch, rivals } = this
    return playRun(run, { server, link, scenario, watch, everyRival: rivals })
  }

  private setFaults(plan: AttemptPlan | undefined): void {
    const { faults } = this.server
    const { empties, reorders, maxConnections } = this.scenario
    faults.refuse = plan?.refuse
    faults.truncateOnReopen = empties
    faults.reorderAcks = reorders
    faults.maxConnections = plan === undefined ? undefined : maxConnections
  }

  private swaps(plan: AttemptPlan | undefined): boolean {
    const canReplace = this.scenario.server.extensions.includes('posix-rename@openssh.com')
    return !canReplace || (plan !== undefined && 'posixRename' in plan.refuse)
  }

  private rivalOf({ rival }: AttemptPlan): LocalFiles | undefined {
    if (rival === 'none') return undefined
    if (rival === 'same files') return this.local
    const label = `${this.seed} rival ${this.rivals.length}`
    const files = new LocalFiles(join(this.base, `rival-${this.rivals.length}`), this.scenario.files, label)
    this.rivals.push(files)
    return files
  }

  private remotes(): string[] {
    return this.local.names.map(remoteOf)
  }

  private versionsOf(remote: string): ReadonlySet<string> {
    const name = remote.slice('site/'.length)
    const old = this.old.get(remote)
    const local = [this.local, ...this.rivals].flatMap(files => files.versionsOf(name))
    return new Set(old === undefined ? local : [old, ...local])
  }

  private get root(): string {
    return join(this.base, 'root')
  }
}

function remoteOf(name: string): string {
  return `site/${name}`
}
