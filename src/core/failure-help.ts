import type { ErrorCode, UploadError } from './errors.js'

/**
 * What a failure means and what to do next, for those whose message says only what was seen. The others say it
 * themselves, because it depends on more than the code.
 */
const HELP: Readonly<Record<ErrorCode, readonly string[]>> = {
  'invalid-input': [],
  'private-key': [],
  'host-key': [],
  login: [],
  'unknown-host': [],
  unreachable: [],
  cancelled: [],
  'no-files': [
    'Nothing that these lines name is there, or all of it is left out: the log says by what. They begin in the workspace of the job.',
    'Check that an earlier step of this job makes the files; names with a leading dot need include-hidden-files: true.'
  ],
  'connection-lost': [
    'The line was cut or the server ended the session, and the retries did not get further.',
    'When it stays so: fewer connections, a look at the log of the server, more retries.'
  ],
  stalled: [
    'The line went dark, or the server waits for its disk or its storage.',
    'For a server that is only slow raise stall-timeout, and keepalive-interval where that is lower.'
  ],
  protocol: [
    'The server does not follow the SFTP protocol here, or something on the way changes what is sent.',
    'A re-run with debug logging (elsewhere RUNNER_DEBUG=1) shows the dialogue; connections: 1 asks less of a server.'
  ],
  'not-found': [
    'A directory of this path is not there, or the account sees other paths than a shell does (chroot).',
    'Check remote-path: without a leading / it begins in the login directory.'
  ],
  permission: [
    'The user may not write there: files are made beside their final name, so the directory must allow it.',
    'On the server, ls -ld DIRECTORY shows whose it is; give it to this user, or choose another remote-path.'
  ],
  'wrong-type': [
    'A directory has the name that a file is to get, or a file that of a directory.',
    'Remove it on the server, or send the file elsewhere with local => remote.'
  ],
  'no-space': [
    'The disk of the server, or the quota of this user, is full.',
    'Make room there (df -h, df -i and quota show it), then run the job again.'
  ],
  unsupported: [
    'The server does not know an operation that this upload needs.',
    'connections: 1 and the defaults of file-mode, dir-mode and preserve-mtime ask least of a server.'
  ],
  'server-failure': [
    'The server gives no reason: a full or read-only disk, a quota, a limit of open files, a name that it does not allow, or a rename to another disk.',
    'Its log says more; on the server, df -h and df -i show whether there is room.'
  ],
  'source-changed': [
    'Something wrote to the file while it was sent.',
    'End what builds it before this step, then run the job again.'
  ],
  'source-unreadable': [
    'This machine does not let the file be read.',
    'Check its owner and permissions (ls -l); files that a container made may belong to root.'
  ],
  'not-verified': [
    'The server holds other bytes than were sent: a faulty disk, or a program there that changes files.',
    'The file did not get its name. Run the job again; when it stays so, look at what handles uploads on the server.'
  ],
  withheld: [
    'With publish: together a file gets its name when all files are whole, or not at all.',
    'See to the file that it waits for, then run the job again.'
  ]
}

/** What was seen, what it means and what to do, a line each. */
export function explain(error: UploadError): string {
  return error.message.includes('\n') ? error.message : [error.message, ...HELP[error.code]].join('\n')
}
