import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sha256File, writeArtifact, writeTree } from './artifact.js'
import { startCacheService, type CacheService } from './cache-service.mjs'
import { startLink, type Link } from './link.mjs'
import {
  createRunner,
  type Inputs,
  type Phase,
  type PhaseResult,
  type Runner,
  type RunnerOptions
} from './runner.mjs'
import { startSshd, type Sshd, type SshdOptions } from './sshd.js'

export const mebibyte = 1024 * 1024

/**
 * What may be sent again after an interruption: each of four lanes has up to 2 MiB in flight, and blocks that are not
 * acknowledged as a whole.
 */
export const fewBlocks = 10 * mebibyte

/** When a process that was told to stop ends at the latest, by a timer of its own (src/run/stop-signal.ts). */
const latestEndMs = 4_500

export interface JobStep {
  readonly main: PhaseResult
  readonly post: PhaseResult | undefined
}

export interface Site {
  /** A directory with action.yml and dist/, which nobody rebuilds. */
  readonly actionPath: string
  readonly sshd: Sshd
  /** The way to sshd. */
  readonly link: Link
  readonly cache: CacheService
  /** The directory that is uploaded to, not there yet: absolute, on this disk. */
  readonly target: string
  /** A machine for one attempt of the job, in a place of its own. */
  machine(
    options?: Pick<RunnerOptions, 'attempt' | 'matrix'> & { runId?: number; withCache?: boolean }
  ): Promise<Runner>
  /** Inputs that upload the directory `build` over the link, one attempt each. */
  inputs(more?: Inputs): Inputs
  /** Runs main and post over a line that is cut for good after this many bytes; it is well again afterwards. */
  runAndCut(machine: Runner, bytes: number, inputs?: Inputs): Promise<JobStep>
  /** Closes it after the test, last first. */
  closeLater<T extends { close(): unknown }>(opened: T): T
}

/** Makes a site for each test: sshd for all of them, the rest anew. Call it in a describe. */
export function useSite(options: SshdOptions = {}): Site {
  let actionPath: string
  let sshd: Sshd
  let link: Link
  let cache: CacheService
  let tests = 0
  const closing: (() => unknown)[] = []
  const closeLater = <T extends { close(): unknown }>(opened: T): T => {
    closing.push(() => opened.close())
    return opened
  }

  beforeAll(async () => {
    actionPath = await copyAction()
    sshd = await startSshd(options)
  })
  beforeEach(async () => {
    tests += 1
    link = closeLater(await startLink({ port: sshd.port }))
    cache = closeLater(await startCacheService())
  })
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })
  afterAll(async () => {
    await sshd.close()
    await rm(actionPath, { recursive: true, force: true })
  })

  const site: Site = {
    get actionPath() {
      return actionPath
    },
    get sshd() {
      return sshd
    },
    get link() {
      return link
    },
    get cache() {
      return cache
    },
    get target() {
      return join(sshd.root, `test-${tests}`)
    },
    async machine({ attempt = 1, runId = 1, withCache = true, matrix = null } = {}) {
      const runner = await createRunner({
        actionPath,
        cacheUrl: withCache ? cache.url : undefined,
        runId,
        attempt,
        matrix,
        layout: `machine-${runId}-${attempt}`
      })
      closing.push(() => runner.cleanup())
      return runner
    },
    inputs(more = {}) {
      return {
        host: sshd.host,
        port: String(link.port),
        username: sshd.username,
        key: sshd.privateKey,
        'known-hosts': sshd.formatKnownHosts(link.port),
        'remote-path': site.target,
        paths: 'build',
        retries: '0',
        ...more
      }
    },
    async runAndCut(machine, bytes, inputs = site.inputs()) {
      void link.cutAfter(bytes).then(() => (link.refuse = true))
      const step = await machine.run(inputs)
      link.refuse = false
      expect(step.main.exitCode).toBe(1)
      return step
    },
    closeLater
  }
  return site
}

/** Makes `build/app.bin` as every build does: the same bytes, another time. Returns the directory. */
export async function buildArtifact(machine: Runner, size: number): Promise<string> {
  const directory = await makeDirectory(machine.workspace, 'build')
  await writeArtifact(join(directory, 'app.bin'), size, 'app')
  return directory
}

/** Makes these files in `build`, sizes or content by name. Returns the directory. */
export async function buildTree(
  machine: Runner,
  files: Readonly<Record<string, number | string>>
): Promise<string> {
  const directory = await makeDirectory(machine.workspace, 'build')
  await writeTree(directory, files)
  return directory
}

/**
 * Starts main, and waits for its first connection. `endsWithinMs` is how long it may go on after a signal: until its
 * own latest end, and as long again as this machine took to bring it up.
 */
export async function startUntilConnected(
  { link }: Site,
  machine: Runner,
  inputs: Inputs
): Promise<{ phase: Phase; endsWithinMs: number }> {
  const at = performance.now()
  const before = link.connections
  const phase = await machine.startMain(inputs)
  await until(() => link.connections > before, 30_000, 'a connection')
  return { phase, endsWithinMs: latestEndMs + performance.now() - at }
}

/** Copies action.yml and dist/ to a place where no build changes them. */
export async function copyAction(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'action-'))
  const built = () => stat(join('dist', 'package.json')).then(Boolean, () => false)
  await until(built, 60_000, 'dist/ is not there: npm run build')
  await cp('action.yml', join(path, 'action.yml'))
  await cp('dist', join(path, 'dist'), { recursive: true })
  return path
}

/** Waits for a condition that nothing announces; throws when it does not come true in time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  limitMs: number,
  what: string
): Promise<void> {
  const end = Date.now() + limitMs
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${limitMs / 1000} s: ${what}`)
    await sleep(10)
  }
}

/** A count or a number of bytes in the outputs. */
export function numberOf({ outputs }: PhaseResult, name: string): number {
  return Number(outputs[name])
}

/** The log before masking, without the lines that tell the runner what to mask. */
export function unmaskedLog({ rawLog }: PhaseResult): string {
  return rawLog.replace(/^::add-mask::.*$/gm, '')
}

/** The texts of all warnings, unmasked. */
export function warningsOf(...phases: (PhaseResult | undefined)[]): string[] {
  return phases.flatMap(phase =>
    [...(phase?.rawLog ?? '').matchAll(/^::warning[^:]*::(.*)$/gm)].map(([, text = '']) => text)
  )
}

/** The texts of all errors, unmasked and with their line breaks. */
export function errorsOf({ rawLog }: PhaseResult): string[] {
  return [...rawLog.matchAll(/^::error[^:]*::(.*)$/gm)].map(([, text = '']) =>
    text.replaceAll('%0A', '\n').replaceAll('%0D', '\r').replaceAll('%25', '%')
  )
}

/** The files in a directory that hold the state of an upload. */
export async function stateFiles(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => [])
  return names.filter(name => /^\.[0-9a-f]{32}\.upload\.meta$/.test(name)).map(name => join(directory, name))
}

/** All files below a directory, relative to it, sorted. */
export async function listFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter(entry => !entry.isDirectory())
    .map(entry => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort()
}

/** Both directories have the same files with the same bytes, and nothing else. */
export async function expectSameTree(uploaded: string, local: string): Promise<void> {
  const names = await listFiles(local)
  expect(await listFiles(uploaded)).toEqual(names)
  for (const name of names) {
    expect([name, await sha256File(join(uploaded, name))]).toEqual([
      name,
      await sha256File(join(local, name))
    ])
  }
}

/** What all files below a directory hold, for a search. */
export async function readAll(directory: string): Promise<string> {
  const texts = (await listFiles(directory)).map(name => readFile(join(directory, name), 'latin1'))
  return (await Promise.all(texts)).join('\n')
}

/** Makes a directory and returns it. */
export async function makeDirectory(...parts: string[]): Promise<string> {
  const path = join(...parts)
  await mkdir(path, { recursive: true })
  return path
}
