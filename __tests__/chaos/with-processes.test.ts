import { expect, jest, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeArtifact } from '../support/artifact.js'
import { randomOf } from '../support/memory-bytes.js'
import type { Phase, PhaseResult, Runner } from '../support/runner.mjs'
import { expectSameTree, listFiles, makeDirectory, mebibyte, until, useSite } from '../support/runner-site.js'
import { describeWithSshd } from '../support/sshd.js'
import { sha256 } from './local-files.js'

/** The same rounds each time; CHAOS_SEED begins elsewhere, CHAOS_PROCESS_ROUNDS plays more. */
const FIRST = Number(process.env.CHAOS_SEED ?? 1)
const ROUNDS = Number(process.env.CHAOS_PROCESS_ROUNDS ?? 16)
const AGAIN = 'CHAOS_PROCESS_ROUNDS=1 npm test -- __tests__/chaos/with-processes.test.ts'
const SIZES = { 'app.bin': 9 * mebibyte + 7, 'small.bin': 300_000, 'notes.txt': 10 }

/** What happens in the middle of an attempt. */
interface Trouble {
  readonly act: (phase: Phase) => unknown
  /** The process is gone before it could save its state. */
  readonly kills?: true
}

jest.setTimeout(240_000)

describeWithSshd('the action, on machines that die', () => {
  const site = useSite()

  const troubles: readonly Trouble[] = [
    { act: phase => phase.killTree(), kills: true },
    { act: phase => phase.kill('SIGINT') },
    { act: phase => phase.kill('SIGTERM') },
    { act: phase => phase.kill('SIGINT') && phase.kill('SIGINT'), kills: true },
    { act: () => site.link.cut() },
    {
      act: () => {
        site.link.refuse = true
        site.link.cut()
      }
    },
    { act: () => site.sshd.restart() },
    {
      act: async () => {
        for (const pid of (await site.sshd.pids()).sessions) kill(pid)
      }
    },
    {
      act: async () => {
        site.link.pause()
        await sleep(1_000)
        site.link.cut()
        site.link.resume()
      }
    }
  ]

  class Round {
    private readonly random: () => number
    private readonly versions = new Map<string, Set<string>>()
    private label = 'first'
    /** A part file can be left that no state knows of. */
    private mayLeaveParts = false

    constructor(private readonly seed: number) {
      this.random = randomOf(seed)
    }

    /** An attempt in which something happens, perhaps beside another run for the same target. */
    async attempt(attempt: number): Promise<void> {
      const { seed } = this
      if (this.happens(0.25)) this.label = `changed for ${attempt}`
      if (this.happens(0.2)) {
        site.cache.entries.splice(-1)
        this.mayLeaveParts = true
      }
      const machine = await this.machine(attempt, seed, this.label)
      site.link.bytesPerSecond = 12 * mebibyte
      const trouble = troubles[Math.floor(this.random() * troubles.length)]
      const at = site.link.sent + Math.floor(this.random() * 10 * mebibyte)
      const inputs = site.inputs({ 'checkpoint-interval': '1', retries: '1' })

      const phase = await machine.startMain(inputs)
      const rival = this.happens(0.25)
        ? await (await this.machine(attempt, seed + 100_000, `rival ${attempt}`)).startMain(inputs)
        : undefined
      let isOver = false
      const happened = Promise.race([site.link.waitFor(at), phase.done]).then(
        () => !isOver && trouble?.act(phase)
      )
      if (rival !== undefined || trouble?.kills === true) this.mayLeaveParts = true
      const main = await phase.done
      isOver = true
      await happened
      expectTrue(main)
      if (rival !== undefined) expectTrue(await rival.done)
      site.link.refuse = false
      if (rival === undefined && main.exitCode === 0) expectInPlace(machine)
      else await this.expectWhole()
      if (this.happens(0.7)) expect((await machine.runPost()).exitCode).toBe(0)
    }

    /** Nothing goes wrong any more. */
    async lastAttempt(attempt: number): Promise<void> {
      site.link.bytesPerSecond = undefined
      await until(
        async () => (await site.sshd.pids()).sessions.length === 0,
        20_000,
        'all sessions have ended'
      )
      const machine = await this.machine(attempt, this.seed, this.label)
      const { main, post } = await machine.run(site.inputs())
      expect([main.exitCode, post?.exitCode, main.outputs.state]).toEqual([0, 0, 'complete'])
      expectTrue(main)
      if (this.mayLeaveParts) await removeParts()
      await expectSameTree(site.target, join(machine.workspace, 'build'))
    }

    attempts(): number {
      return 1 + Math.floor(this.random() * 3)
    }

    private happens(share: number): boolean {
      return this.random() < share
    }

    private async machine(attempt: number, runId: number, label: string): Promise<Runner> {
      const machine = await site.machine({ attempt, runId })
      const directory = await makeDirectory(machine.workspace, 'build')
      // SFTP knows times in seconds: another run's file of the same size and second is taken for the own one.
      const more = label.startsWith('rival') ? 1 : 0
      for (const [name, size] of Object.entries(SIZES)) {
        await writeArtifact(join(directory, name), size + more, `${this.seed} ${name} ${label}`)
        const versions = this.versions.get(name) ?? new Set()
        this.versions.set(name, versions.add(sha256(readFileSync(join(directory, name)))))
      }
      return machine
    }

    /** Every target that is there is one of the versions. */
    private async expectWhole(): Promise<void> {
      for (const path of await listFiles(site.target)) {
        const versions = this.versions.get(path)
        if (versions === undefined) continue
        expect([path, versions.has(sha256(readFileSync(join(site.target, path))))]).toEqual([path, true])
      }
    }
  }

  function expectInPlace({ workspace }: Runner): void {
    const read = (directory: string) =>
      Object.keys(SIZES).map(name => sha256(readFileSync(join(directory, name))))
    expect(read(site.target)).toEqual(read(join(workspace, 'build')))
  }

  /** Those of runs that were killed before they could save their state stay, for 7 days. */
  async function removeParts(): Promise<void> {
    const names = await listFiles(site.target)
    await Promise.all(names.filter(name => name.endsWith('.part')).map(name => rm(join(site.target, name))))
  }

  test.each(Array.from({ length: ROUNDS }, (_, index) => FIRST + index))(
    `CHAOS_SEED=%i ${AGAIN}: what gets its name is whole, and what ends green is in place`,
    async seed => {
      await makeDirectory(site.target)
      const round = new Round(seed)
      const attempts = round.attempts()
      for (let attempt = 1; attempt <= attempts; attempt++) await round.attempt(attempt)
      await round.lastAttempt(attempts + 1)
    }
  )
})

/** Exit code and outputs agree. */
function expectTrue({ exitCode, signal, outputs }: PhaseResult): void {
  if (signal !== null) return
  const count = (name: string) => Number(outputs[name])
  const isComplete = count('uploaded-count') + count('skipped-count') === Object.keys(SIZES).length
  expect(outputs.state).toBe(isComplete && count('failed-count') === 0 ? 'complete' : 'incomplete')
  expect(exitCode).toBe(outputs.state === 'complete' ? 0 : 1)
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}
