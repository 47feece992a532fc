// What holds on every server. Each test returns what it saw of the server's ways, for the table.
import assert from 'node:assert/strict'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { expectGreen, expectRed, expectStored, numberOf, told, until } from './site.mjs'
import { bytesOf, change, difference, MIB, writeTree } from './tree.mjs'

const TREE = {
  empty: 0,
  'one byte': 1,
  'with spaces and (brackets).txt': 12_345,
  "it's a 'quote'.txt": 54_321,
  'größe/文件/øre.bin': 70_000,
  'a/b/c/d/deep.bin': MIB + 1,
  'large.bin': 24 * MIB + 12_345,
  ...Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`small/${index}.bin`, 4096 + index]))
}
const ONE_WRITER = 'this server takes one writer a file'
const LARGE = { 'app.bin': 24 * MIB + 12_345 }
/** Fits on the small disk until something else is written there. */
const SMALL = { 'app.bin': 9 * MIB + 12_345 }
const CUT_AT = 14 * MIB
/** So that what is under way at a cut is less than what has arrived. */
const SPEED = 40 * MIB
/** Bytes that four lanes may have in flight, and of blocks that are not acknowledged as a whole. */
const AT_RISK = 12 * MIB

export const contract = [
  {
    name: 'a tree arrives byte by byte; the same tree again sends nothing',
    async run(site) {
      const first = await site.machine()
      await writeTree(first.build, TREE)
      const step = await first.run(site.inputs())
      expectGreen(step)
      assert.equal(numberOf(step.main, 'uploaded-count'), Object.keys(TREE).length)
      await expectStored(site, first.build)

      const second = await site.machine(2)
      await writeTree(second.build, TREE)
      const again = await second.run(site.inputs())
      expectGreen(again)
      assert.equal(numberOf(again.main, 'sent-bytes'), 0)
      assert.equal(numberOf(again.main, 'skipped-count'), Object.keys(TREE).length)
      await expectStored(site, second.build)
      return {}
    }
  },
  {
    name: 'a changed file takes the place of the old one, which is whole until then',
    async run(site, { expected }) {
      const first = await site.machine()
      await writeTree(first.build, { ...LARGE, 'same.txt': 100 })
      expectGreen(await first.run(site.inputs()))
      await expectStored(site, first.build)

      const second = await site.machine(2)
      await writeTree(second.build, { 'same.txt': 100 })
      const size = LARGE['app.bin'] + 1
      await writeFile(join(second.build, 'app.bin'), bytesOf(size, 'another'))
      const watch = await watchSize(site, 'app.bin')
      const before = site.line.sent.length
      site.line.link.bytesPerSecond = SPEED / 2
      const step = await second.run(site.inputs())
      const seen = await watch.stop()
      expectGreen(step)
      assert.equal(numberOf(step.main, 'skipped-count'), 1)
      await expectStored(site, second.build)
      if (!expected.removesFirst) {
        const others = [...seen.sizes].filter(found => found !== LARGE['app.bin'] && found !== size)
        assert.deepEqual(others, [], 'the target had other sizes, too')
        const inOneStep = expected.posixRename || expected.replaces
        if (inOneStep) assert.equal(seen.missing, false, 'the target was gone for a moment')
      }
      const oneLane = lanesOfFile(step.main, site.line.sent.slice(before)) === 1
      assert.equal(oneLane, expected.oneLane ?? false, told(step.main))
      return { oneLane }
    }
  },
  {
    name: 'a line cut in the middle: the next attempt sends what is missing',
    async run(site, { expected }) {
      const step = await cutAndContinue(site)
      return { cut: expectContinued(step.main, expected, CUT_AT - AT_RISK) }
    }
  },
  {
    name: 'a rebuilt file of the same size after a cut is the new one, with verify: full',
    async run(site, { expected }) {
      const rebuild = directory => change(join(directory, 'app.bin'), 100_000)
      const step = await cutAndContinue(site, { rebuild, inputs: { verify: 'full' } })
      return { rebuilt: expectContinued(step.main, expected, CUT_AT - AT_RISK - MIB) }
    }
  },
  {
    name: 'a server that crashes and comes back: the same run ends well',
    async run(site) {
      const machine = await site.machine()
      await writeTree(machine.build, LARGE)
      site.line.link.bytesPerSecond = SPEED
      const phase = await machine.startMain(site.inputs({ retries: '5' }))
      await site.line.link.waitFor(CUT_AT)
      await site.server.program.kill()
      await site.server.program.start()
      const main = await phase.done
      expectGreen({ main, post: await machine.runPost() })
      assert.match(main.log, /Retry 1 of 5/)
      await expectStored(site, machine.build)
      return {}
    }
  },
  {
    name: 'a killed runner, whose session the server still has: the next attempt goes on from the last checkpoint, and what was on its way changes nothing',
    async run(site, { expected }) {
      const { main, orphan } = await continueAfterKill(site, { expected })
      return { killed: expectContinued(main, expected, MIB), orphan }
    }
  },
  {
    name: 'the same with a rebuilt file of the same size: it is the new one, and stays it',
    async run(site, { expected }) {
      // Few of the bytes that were on their way are the same, wherever those were.
      const rebuild = async directory => {
        for (let at = MIB; at < LARGE['app.bin']; at += 10_000) await change(join(directory, 'app.bin'), at)
      }
      const { orphan } = await continueAfterKill(site, { expected, rebuild })
      return orphan ? { orphan } : {}
    }
  },
  {
    name: 'a disk that is full in the middle: the step fails, and ends well when there is room',
    needsDisk: true,
    async run(site) {
      const [target, filler] = ['app.bin', 'filler'].map(name => join(site.server.stored('small'), name))
      const first = await site.machine()
      await writeTree(first.build, SMALL)
      await writeFile(target, 'the version before')
      site.line.link.bytesPerSecond = 10 * MIB
      const phase = await first.startMain(site.inputs())
      await site.line.link.waitFor(2 * MIB)
      await writeFile(filler, bytesOf(6 * MIB, 'filler'))
      expectRed({ main: await phase.done })
      await first.runPost()
      assert.equal(await readFile(target, 'latin1'), 'the version before')

      site.disk.resize(64 * MIB)
      await rm(filler)
      site.line.link.bytesPerSecond = undefined
      const second = await site.machine(2)
      await writeTree(second.build, SMALL)
      expectGreen(await second.run(site.inputs()))
      await expectStored(site, second.build)
      return {}
    }
  }
]

/** An attempt that is cut, then one on another machine, which has to end with the files of its own build in place. */
async function cutAndContinue(site, { rebuild = () => undefined, inputs = {} } = {}) {
  const first = await site.machine()
  await writeTree(first.build, LARGE)
  await cutAndFail(site, first)

  const second = await site.machine(2)
  await writeTree(second.build, LARGE)
  await rebuild(second.build)
  const step = await second.run(site.inputs(inputs))
  expectGreen(step)
  await expectStored(site, second.build)
  return step
}

/**
 * An attempt that is killed in the dark, one on another machine, and then what was still on its way: the files of the
 * second build have to be in place and to stay it. `orphan`: a part file is left over.
 */
async function continueAfterKill(site, { expected, rebuild = () => undefined }) {
  const first = await site.machine()
  await writeTree(first.build, LARGE)
  await killInTheMiddle(site, first)
  const old = await site.line.renew()

  const second = await site.machine(2)
  await writeTree(second.build, LARGE)
  await rebuild(second.build)
  const step = await second.run(site.inputs())
  expectGreen(step)
  // Where the part file cannot be continued, the old session may keep it, under whatever name.
  await expectStored(site, second.build, expected.continues ? undefined : /\.part$/)

  // The server gets it, and learns that nobody is there.
  old.resume()
  await sleep(500)
  old.cut()
  await sleep(1500)
  const wrong = await difference(await site.stored(), second.build)
  if (wrong !== undefined) assert.match(wrong, /\.part is left over$/)
  return { main: step.main, orphan: wrong !== undefined }
}

/** An attempt whose line is cut for good in the middle; what was in place stays there. */
async function cutAndFail(site, machine) {
  const { link } = site.line
  link.bytesPerSecond = SPEED
  void link.cutAfter(CUT_AT).then(() => (link.refuse = true))
  const step = await machine.run(site.inputs())
  expectRed(step)
  await site.line.renew()
}

/**
 * Kills the step, without post, once a checkpoint with blocks in it is in the cache: the second one has some. The line
 * stays as it is then, in the dark.
 */
async function killInTheMiddle(site, machine) {
  const { link } = site.line
  link.bytesPerSecond = 3 * MIB
  const phase = await machine.startMain(site.inputs({ 'checkpoint-interval': '1' }))
  await until(() =>
    site.cache.entries.length > 1 ? undefined : `two checkpoints\n${told({ log: phase.output() })}`
  )
  link.pause()
  phase.killTree()
  await phase.done
  assert.ok(link.sent < LARGE['app.bin'], 'it was killed too late')
}

/** Continued, or sent whole with one line that says so, as is expected of this server; returns what was kept. */
function expectContinued(main, { continues }, least) {
  const [sent, kept] = [numberOf(main, 'sent-bytes'), numberOf(main, 'reused-bytes')]
  if (continues) {
    assert.equal(sent + kept, LARGE['app.bin'], told(main))
    assert.ok(kept >= least, `kept ${kept} bytes, which must be at least ${least}:\n${told(main)}`)
    assert.deepEqual(startingLines(main), [], told(main))
  } else {
    assert.equal(kept, 0, told(main))
    assert.equal(startingLines(main).length, 1, told(main))
  }
  return { kept, why: startingLines(main)[0] }
}

/** Why it began anew; that it takes one writer a file is another matter. */
function startingLines({ log }) {
  const reasons = [...log.matchAll(/^Starting .* from 0: (.*)$/gm)].map(([, why]) => why)
  return reasons.filter(why => why !== ONE_WRITER)
}

/** Connections that carried more of a large file than they can have in flight. */
function lanesOfFile({ log }, sent) {
  return log.includes(ONE_WRITER) ? 1 : sent.filter(bytes => bytes > 2 * MIB).length
}

/** Looks at a stored file without a pause; nothing is seen where the store is no folder here. */
async function watchSize(site, name) {
  const seen = { sizes: new Set(), missing: false }
  const { server } = site
  if (server.isRemoteStore) return { stop: async () => seen }
  const path = join(await site.stored(), name)
  let stopped = false
  const watching = (async () => {
    while (!stopped) {
      await stat(path).then(
        ({ size }) => seen.sizes.add(size),
        () => (seen.missing = true)
      )
      await turn()
    }
  })()
  return {
    async stop() {
      stopped = true
      await watching
      return seen
    }
  }
}
