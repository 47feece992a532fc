// Uploads the same files with every client that is installed, in turn, and compares the medians. bench/README.md tells how.
import { execFileSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { installPackages, root } from '../script/packages.mjs'
import { startSshd } from '../script/sshd.mjs'
import { actionBy } from './action.mjs'
import { drawChart } from './chart.mjs'
import { delayed, loopback, relayed, whyNoDelay } from './line.mjs'
import { measure } from './measure.mjs'
import { fastPutBy, findPeers } from './peers.mjs'
import { works } from './works.mjs'

const OURS = 'resumable-sftp-upload'
/** A client that takes longer is not waited for again. */
const LIMIT_MS = 120_000
const here = join(root, 'bench')

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const { values: given } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    works: { type: 'string' },
    clients: { type: 'string' },
    node: { type: 'string', default: process.execPath },
    save: { type: 'boolean', default: false }
  }
})
installPackages()
const rounds = Number(given.rounds)
if (!(Number.isInteger(rounds) && rounds > 0)) refuse('rounds', 'a number from 1', given.rounds)
const chosenWorks = chosen('works', given.works, works, ({ id }) => id)
const peers = findPeers({ fastPut: fastPutBy(given.node, here) })
const chosenPeers = chosen('clients', given.clients, peers, ({ name }) => name)
const noDelay = whyNoDelay()
if (noDelay !== undefined) {
  console.log(`The long lines are a relay in this process, not a packet path: ${noDelay}. Loss is left out.`)
}

const results = []
for (const work of chosenWorks) results.push(await run(work))
if (given.save) save()
process.exitCode = results.some(({ clients }) => clients.some(({ wrong }) => wrong !== undefined)) ? 1 : 0

/** Those of the options that are named, in their own order; all where none is. */
function chosen(option, names, options, nameOf) {
  if (names === undefined) return options
  const wanted = names.split(',')
  const known = options.map(nameOf)
  const unknown = wanted.filter(name => !known.includes(name))
  if (unknown.length > 0) refuse(option, `among ${known.join(',')}`, unknown.join(','))
  return options.filter(option => wanted.includes(nameOf(option)))
}

function refuse(option, expected, found) {
  console.error(`bench: --${option}: must be ${expected}; found ${found}`)
  process.exit(2)
}

/** Replaces the results of these works; those of the others stay if they are of the same machine, Node and version. */
function save() {
  const file = join(here, 'results.json')
  const conditions = {
    machine: `${cpus().length} × ${cpus()[0].model}, ${process.platform} ${release()}`,
    node: execFileSync(given.node, ['--version'], { encoding: 'utf8' }).trim(),
    version,
    line: noDelay === undefined ? 'a packet path' : 'a relay'
  }
  const { results: saved, ...before } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
  const others = isDeepStrictEqual(before, conditions) ? saved : []
  const all = works.flatMap(({ id }) => [...results, ...others].find(result => result.id === id) ?? [])
  writeFileSync(file, `${JSON.stringify({ ...conditions, results: all }, null, 2)}\n`)
  writeFileSync(join(here, 'results.svg'), drawChart(all))
}

async function run(work) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const from = join(folder, 'from')
  const to = join(folder, 'to')
  mkdirSync(from)
  for (const [index, size] of work.files.entries()) writeFileSync(join(from, `file-${index}`), content(size))
  const line =
    work.line === undefined
      ? loopback()
      : noDelay === undefined
        ? await delayed(work.line)
        : relayed(work.line)
  const sshd = await startSshd(folder, { before: line.wrap, options: ['MaxStartups 100'] })
  const server = { ...sshd, ...(await line.reach(sshd.port)) }
  try {
    const ours = { name: OURS, version, command: actionBy(given.node, work.inputs) }
    const clients = [ours, ...chosenPeers]
    return { id: work.id, title: work.title, clients: await takeTurns(clients, { from, to, server }) }
  } finally {
    sshd.process.kill()
    await line.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function takeTurns(clients, { from, to, server }) {
  const taken = clients.map(client => ({ ...client, seconds: [], peaksMib: [], wrong: undefined }))
  for (let round = 0; round < rounds; round++) {
    for (const client of taken) {
      if (client.wrong !== undefined) continue
      const { seconds, peakMib, wrong } = await measure(client.command({ from, to, server }), {
        from,
        target: to,
        limitMs: LIMIT_MS
      })
      client.wrong = wrong
      if (wrong === undefined) {
        client.seconds.push(seconds)
        if (peakMib !== undefined) client.peaksMib.push(peakMib)
      }
      const memory = peakMib === undefined ? '' : `${String(peakMib).padStart(5)} MiB`
      console.log(`${client.name.padEnd(32)} ${seconds.toFixed(2).padStart(8)} s ${memory}  ${wrong ?? ''}`)
    }
  }
  const [first] = taken
  const ourMedian = median(first.seconds)
  return taken.map(({ name, version, seconds, peaksMib, wrong }) => {
    const own = wrong === undefined ? median(seconds) : undefined
    return {
      name,
      version,
      seconds,
      peaksMib,
      median: own,
      timesOurs: own && ourMedian && own / ourMedian,
      wrong
    }
  })
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1]
}

/** Bytes that cannot be compressed. */
function content(size) {
  return randomFillSync(Buffer.allocUnsafe(size))
}
