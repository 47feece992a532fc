// The main job on this machine alone: an artifact is uploaded by the built action, started as the runner starts it;
// the line is cut in the middle; a re-run on a fresh workspace sends what is missing. What GitHub would show of it is
// written to a page.
import { createCipheriv, createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, open, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { installPackages, root } from './packages.mjs'
import { showMarkdown } from './show-markdown.mjs'
import { summaryPage } from './summary-page.mjs'

installPackages()
const { startCacheService } = await import('../__tests__/support/cache-service.mjs')
const { startLink } = await import('../__tests__/support/link.mjs')
const { createRunner } = await import('../__tests__/support/runner.mjs')
const { generateKeyPair, startSftpServer } = await import('../__tests__/support/sftp-server.mjs')

const MIB = 1024 * 1024
const ARTIFACT = 256 * MIB
const CUT_AT = 150 * MIB
/** Of the line, a second: slow enough to watch. */
const PACE = 10 * MIB

const PAGE = join(root, 'demo.html')

const pageSections = []
const work = await mkdtemp(join(tmpdir(), 'resumable-sftp-upload-demo-'))
const login = generateKeyPair()
const server = await startSftpServer({
  root: work,
  users: [{ username: 'deploy', publicKeys: [login.public] }]
})
const link = await startLink({ port: server.port })
link.bytesPerSecond = PACE
const cache = await startCacheService()
const inputs = {
  host: '127.0.0.1',
  port: String(link.port),
  username: 'deploy',
  key: login.private,
  'known-hosts': server.formatKnownHosts(link.port),
  paths: 'build/site.tar',
  'remote-path': 'releases',
  retries: '1'
}

try {
  title(`A line that is cut after ${CUT_AT / MIB} MiB of ${ARTIFACT / MIB} MiB`)
  void link.cutAfter(CUT_AT).then(() => (link.refuse = true))
  const first = await attempt(1)
  link.refuse = false

  title(
    '"Re-run failed jobs": a fresh workspace in another place, a fresh copy of the artifact, the state from the cache'
  )
  const second = await attempt(2)

  title('What it comes to')
  const published = await sha256(join(work, 'releases', 'site.tar'))
  const same = published === second.sha256
  line(`attempt 1 sent ${mib(first.outputs['sent-bytes'])} and ended with exit code ${first.exitCode}`)
  line(
    `attempt 2 sent ${mib(second.outputs['sent-bytes'])}, kept ${mib(second.outputs['reused-bytes'])}, exit code ${second.exitCode}`
  )
  line(`SHA-256 of the artifact   ${second.sha256}`)
  line(`SHA-256 on the server     ${published}   ${same ? 'equal' : 'DIFFERENT'}`)
  await writeFile(PAGE, await summaryPage('An upload that is cut, and its re-run', pageSections))
  line(`Both job summaries as GitHub shows them: ${pathToFileURL(PAGE).href}`)
  const resumed =
    Number(second.outputs['reused-bytes']) > 0 && Number(second.outputs['sent-bytes']) < ARTIFACT
  process.exitCode = first.exitCode !== 0 && second.exitCode === 0 && same && resumed ? 0 : 1
} finally {
  await Promise.all([link.close(), server.close(), cache.close()])
  await rm(work, { recursive: true, force: true })
}

/** One attempt of the job, on a machine of its own: main, then post, then what the runner shows. */
async function attempt(number) {
  const runner = await createRunner({
    actionPath: root,
    cacheUrl: cache.url,
    runId: 1,
    attempt: number,
    layout: `machine-${number}`
  })
  try {
    const sha256 = await makeArtifact(join(runner.workspace, 'build', 'site.tar'), number)
    const { main, post } = await runner.run(inputs)
    const log = asLogView(main.log + (post?.log ?? ''))
    show('The log of the step', log)
    show('The job summary', showMarkdown(main.summary))
    pageSections.push(
      { heading: `Attempt ${number}: the job summary`, markdown: main.summary },
      { heading: `Attempt ${number}: the log of the step`, text: log }
    )
    return { ...main, sha256 }
  } finally {
    await runner.cleanup()
  }
}

/** The same bytes for every attempt, with another modification time; they never repeat. */
async function makeArtifact(path, number) {
  await mkdir(join(path, '..'), { recursive: true })
  const stream = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16))
  const zeros = Buffer.alloc(MIB)
  const hash = createHash('sha256')
  const file = await open(path, 'w')
  for (let written = 0; written < ARTIFACT; written += MIB) {
    const bytes = stream.update(zeros)
    hash.update(bytes)
    await file.write(bytes)
  }
  await file.close()
  await utimes(path, Date.now() / 1000, 1_700_000_000 + number)
  return hash.digest('hex')
}

async function sha256(path) {
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(path)) hash.update(bytes)
  return hash.digest('hex')
}

/** Workflow commands as the log view of a job shows them: groups by their names, debug lines and masks not at all. */
function asLogView(log) {
  return log
    .split('\n')
    .filter(text => !/^::(debug|add-mask|endgroup)/.test(text))
    .map(text =>
      text
        .replace(/^::group::/, '▾ ')
        .replace(/^::(error|warning)::/, (_, kind) => `${kind}: `)
        .replaceAll('%0A', '\n')
    )
    .join('\n')
}

function title(text) {
  console.log(`\n=== ${text} ===`)
}

function show(what, text) {
  console.log(`\n${what}:\n${text.trimEnd().replace(/^/gm, '  │ ')}`)
}

function line(text) {
  console.log(`  ${text}`)
}

function mib(bytes) {
  return `${(Number(bytes) / MIB).toFixed(0)} MiB`
}
