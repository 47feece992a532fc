import { Option } from 'commander'

/**
 * The inputs of the action that are flags here, by their names; a new one is a line. The defaults are those of
 * action.yml, which a test compares.
 */
export function inputFlags(): Readonly<Record<string, Option>> {
  return {
    host: new Option('--host <name>', 'server').env('SFTP_HOST').makeOptionMandatory(),
    port: new Option('--port <number>', 'port of the SSH server').env('SFTP_PORT').default('22'),
    username: new Option('--user <name>', 'who logs in').env('SFTP_USER').makeOptionMandatory(),
    'host-key-fingerprint': new Option(
      '--host-key-fingerprint <SHA256:...>',
      'host key that is accepted, besides those of known_hosts; may be repeated'
    ).argParser(addLine),
    'host-key-check': new Option('--host-key-check <mode>', 'strict or off').default('strict'),
    'jump-host': new Option(
      '--jump-host <[user@]host[:port]>',
      'SSH server through which the server is reached, with the same login'
    ).default(''),
    'jump-host-key-fingerprint': new Option(
      '--jump-host-key-fingerprint <SHA256:...>',
      'host key of the jump host that is accepted, in place of known_hosts; may be repeated'
    ).argParser(addLine),
    'legacy-algorithms': new Option(
      '--legacy-algorithms',
      'offer what only old servers need, which is not safe'
    ),
    verify: new Option(
      '--verify <mode>',
      'evidence before a file is continued and before it gets its name: size, timestamp, tail or full'
    ).default('size'),
    'if-no-files-found': new Option('--if-no-files-found <what>', 'error, warn or ignore').default('error'),
    'include-hidden-files': new Option('--include-hidden-files', 'upload what begins with a dot'),
    'ignore-file': new Option(
      '--ignore-file <file>',
      'in the syntax of gitignore: what is left out; the default need not be there'
    ).default('.sftpignore'),
    'follow-symlinks': new Option('--no-follow-symlinks', 'leave symbolic links out'),
    'file-mode': new Option(
      '--file-mode <octal>',
      'permissions of files; without it, those of the local file'
    ),
    'dir-mode': new Option('--dir-mode <octal>', 'permissions of directories that are made'),
    'preserve-mtime': new Option('--preserve-mtime', 'keep the modification times'),
    publish: new Option(
      '--publish <when>',
      'each: a file when it is whole; together: all when the last one is'
    ).default('each'),
    'checksum-file': new Option(
      '--checksum-file <path>',
      'list of all SHA-256 digests, uploaded last, below REMOTE'
    ).default(''),
    'chunk-size': new Option('--chunk-size <bytes>', 'bytes of one write request, or auto').default('auto'),
    connections: new Option('--connections <number>', 'most connections at once').default('4'),
    retries: new Option('--retries <number>', 'attempts in a row without progress').default('5'),
    'connect-timeout': new Option('--connect-timeout <seconds>', 'for connecting and logging in').default(
      '30'
    ),
    'stall-timeout': new Option('--stall-timeout <seconds>', 'silence that ends a connection').default('60'),
    'keepalive-interval': new Option(
      '--keepalive-interval <seconds>',
      'between signs of life; 0 sends none'
    ).default('30'),
    shard: new Option(
      '--shard <I/N>',
      'share of the files that is uploaded: 2/5 is the second of five'
    ).default(''),
    delete: new Option('--delete', 'remove everything else below REMOTE once all files are in place'),
    'delete-limit': new Option(
      '--delete-limit <number>',
      'most files and directories that --delete may remove; with more it removes none'
    ).default('100'),
    'dry-run': new Option('--dry-run', 'show what would be uploaded and removed, and write nothing'),
    'state-key': new Option(
      '--state-key <text>',
      'tells apart commands that would share the state of their upload'
    ).default(''),
    'checkpoint-interval': new Option(
      '--checkpoint-interval <seconds>',
      'between saves of the state; 0 saves at the end only'
    ).default('60')
  }
}

function addLine(line: string, lines: string | undefined): string {
  return lines === undefined ? line : `${lines}\n${line}`
}
