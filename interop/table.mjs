// docs/servers.md, from what a run has seen.
import { contract } from './contract.mjs'
import { MIB } from './tree.mjs'

const NOTES = {
  'one-writer':
    'The bytes of a file have to come in their order, or a second connection that opens a part file empties it: each file has one connection, and where that was found by trying, the log says `this server takes one writer a file`. `connections` still helps with several files.',
  'starts-over':
    'Nothing of a part file can be used again: the log says so in one line, and the file is sent whole. A re-run still skips the files that are in place: several files of moderate size lose less than one large one.',
  aside:
    'Neither `posix-rename@openssh.com` nor a rename that replaces: the old file is moved to `NAME.<id>.part.old`, the new one takes its place, the old one is removed. A reader can miss the file for that moment; an upload that is cut right there leaves the old file under that name.',
  'removed-first':
    'posix-rename is offered and does not replace in one step: the server removes the old file, then renames. A reader can miss the file for that moment; a server that crashes right there holds it as `NAME.<id>.part` only, with which a re-run goes on.',
  'answers-early':
    'The server says that a file is in place before it has handed it on to its storage: until then the storage shows the new file as it grows, and what goes wrong there nobody learns over SFTP. Where green has to mean stored, set `--vfs-cache-mode off`.',
  orphan:
    'A part file of an attempt that was killed or cut can stay: its session, or what the server had yet to hand on, outlives the attempt. It is removed when the same file is published more than 7 days later; `*.part` may be removed by hand while no upload runs.'
}

/** The whole page. */
export function formatTable(results) {
  const run = results.filter(({ whyNot }) => whyNot === undefined)
  const used = new Set(run.flatMap(notesOf))
  return [
    '# Servers',
    '',
    'Made by `./script/interop`, which installs these servers, starts them on this machine, and runs the built action',
    'against each as the runner does. Do not edit.',
    '',
    '| server | version | it offers | write request | connections | after a cut in the middle of 24 MiB | in the place of an old file |',
    '|---|---|---|---|---|---|---|',
    ...results.map(formatLine),
    '',
    ...Object.keys(NOTES)
      .filter(note => used.has(note))
      .map(note => `[^${note}]: ${NOTES[note]}\n`),
    'What a server offers, and how much it takes at once, is found by asking; that it cannot do a thing, by trying and by',
    'reading back. Nothing follows from its name. **Write request**: bytes of one; 31 KiB is legal everywhere, more goes to',
    'those who say that they take it. **Connections**: how many were open of the four that `connections` asks for.',
    '',
    '## What held on each of them',
    '',
    ...contract.map(({ name }) => `- ${upperFirst(name)}.`),
    '',
    'Where the table says that a server starts over, the next attempt sends all of the file. After each of these the stored',
    'bytes, read past the server, were those of the local files, and nothing was left over but for what a note tells of.',
    '',
    '```sh',
    './script/interop                      # all; writes this page',
    './script/interop openssh rclone-s3    # some: those whose name begins so',
    '```',
    '',
    'Debian or Ubuntu, and root or `sudo`, are needed to install them; root and Linux for those that read their settings at a',
    'fixed place. What cannot be run is listed above as not run, with the reason; named on the command line, it fails.',
    ''
  ].join('\n')
}

/** One result in a line of the log. */
export function formatRow(result) {
  return cellsOf(result)
    .join('; ')
    .replaceAll(/\[\^[\w-]+\]/g, '')
}

function formatLine(result) {
  const { server, whyNot } = result
  const cells = whyNot === undefined ? cellsOf(result) : ['', `not run: ${whyNot}`, '', '', '', '']
  return `| ${[server.title, ...cells].join(' | ')} |`
}

function cellsOf(result) {
  const { version = '?', offers, seen } = result
  if (offers === undefined || seen.cut === undefined) return [version]
  const notes = notesOf(result)
  const marks = (...wanted) =>
    wanted
      .filter(note => notes.includes(note))
      .map(note => `[^${note}]`)
      .join('')
  return [
    version,
    offered(offers),
    `${Math.floor(offers.chunkSize / 1024)} KiB`,
    `${seen.lanes}${seen.oneLane ? ', one a file' : ''}${marks('one-writer')}`,
    `${resuming(seen.cut)}${marks('starts-over', 'orphan')}`,
    `${publishing(result)}${marks('aside', 'removed-first', 'answers-early')}`
  ]
}

function resuming({ kept }) {
  return kept > 0 ? `continues: ${Math.floor(kept / MIB)} MiB kept` : 'starts over'
}

function publishing({ server: { expected }, offers: { posixRename, replaces } }) {
  if (expected.removesFirst) return 'the old one is removed first'
  if (posixRename) return 'in one step'
  return replaces ? 'in one step, by a plain rename' : 'the old one is moved aside'
}

function offered({ posixRename, fsync, statvfs }) {
  const names = [posixRename && 'posix-rename', fsync && 'fsync', statvfs && 'free space']
  return names.filter(Boolean).join(', ') || 'nothing of use'
}

function notesOf({ server: { expected }, seen, offers }) {
  const notes = {
    'one-writer': seen.oneLane,
    'starts-over': seen.cut?.kept === 0,
    orphan: seen.orphan || expected.answersBeforeStored,
    aside: offers !== undefined && !offers.posixRename && !offers.replaces,
    'removed-first': expected.removesFirst,
    'answers-early': expected.answersBeforeStored
  }
  return Object.keys(notes).filter(note => notes[note])
}

function upperFirst(text) {
  return text[0].toUpperCase() + text.slice(1)
}
