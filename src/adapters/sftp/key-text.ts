import { decodeBase64 } from './base64.js'
import { describeNonKey } from './key-diagnosis.js'

/** What pasted text holds. */
export type KeyText =
  /** Armoured by BEGIN and END lines: OpenSSH, PEM (RFC 1421, 7468) or PKCS#8. */
  | {
      readonly form: 'pem'
      /** Between BEGIN and the dashes, such as `OPENSSH PRIVATE KEY`. */
      readonly label: string
      /** The DEK-Info of an encrypted traditional PEM key: `AES-128-CBC,<IV in hex>`. */
      readonly encryption: string | undefined
      readonly body: Buffer
    }
  /** PuTTY's own format, as one whole text with its line breaks right where it is version 2. */
  | {
      readonly form: 'ppk'
      readonly version: string
      readonly type: string
      readonly encryption: string
      readonly text: string
    }
  /** A private key, but not all of it or not only it; `found` says in words what was seen. */
  | { readonly form: 'damaged'; readonly found: string }
  /** No private key. */
  | { readonly form: 'none'; readonly found: string }

/** Characters; the longest keys there are, indented and in base64 once more, take two thirds. */
const LONGEST = 32 * 1024

/**
 * Finds the private key in pasted text and undoes what pasting does to it: line breaks lost, written as `\n`, of the
 * wrong kind or doubled, indentation, quotes, invisible characters, one more layer of base64.
 */
export function findKeyText(pasted: string): KeyText {
  if (pasted.length > LONGEST)
    return { form: 'none', found: `text of ${pasted.length} characters, which is longer than any key` }
  const visible = pasted.replace(/[\u200b-\u200d\u2060\ufeff]/g, '').replace(/[^\S\r\n]/g, ' ')
  const text = unwrapBase64(visible) ?? visible
  return findPpk(text) ?? findPem(text) ?? { form: 'none', found: describeNonKey(text) }
}

/** Writes what `form: 'pem'` holds as PEM text, `width` characters of base64 in a line. */
export function formatPem(label: string, body: Buffer, width: 64 | 70, encryption?: string): string {
  const headers = encryption === undefined ? [] : ['Proc-Type: 4,ENCRYPTED', `DEK-Info: ${encryption}`, '']
  return [`-----BEGIN ${label}-----`, ...headers, ...wrap(body, width), `-----END ${label}-----`, ''].join(
    '\n'
  )
}

function findPem(pasted: string): KeyText | undefined {
  // No backslash belongs in PEM: those in front of n and r are line breaks that went through JSON, YAML or a shell.
  const text = pasted.replace(/\\+(?:r\\+n|n|r)/g, '\n')
  const begins = [...text.matchAll(/-+ ?BEGIN ([A-Z0-9][A-Z0-9\s]*?) ?-+/g)]
  const [begin, second] = begins.filter(match => match[1]?.endsWith('PRIVATE KEY'))
  if (begin?.[1] === undefined) return undefined
  if (second !== undefined) return { form: 'damaged', found: 'more than one private key' }
  const inside = text.slice(begin.index + begin[0].length)
  const end = new RegExp(`-+ ?END ${begin[1].replace(/\s+/g, '\\s+')} ?-+`).exec(inside)
  if (end === null) return { form: 'damaged', found: 'one without its END line: the end is cut off' }
  return readBlock(begin[1].replace(/\s+/g, ' '), inside.slice(0, end.index))
}

function readBlock(label: string, content: string): KeyText {
  // The IV has a known length, so that it is told from the body even where the line break between them is lost.
  const dek =
    /DEK-Info:\s*((?:AES|CAMELLIA|ARIA|SEED)[A-Z0-9-]*\s*,\s*[0-9A-F]{32}|[A-Z0-9-]+\s*,\s*[0-9A-F]{16})/i.exec(
      content
    )
  const base64 = content
    .replace(/Proc-Type:\s*4\s*,\s*ENCRYPTED/i, '')
    .replace(dek?.[0] ?? '', '')
    .replace(/^\s*[A-Za-z-]+:.*$/gm, '')
    .replace(/\s/g, '')
  if (base64 === '') return { form: 'damaged', found: 'nothing between its BEGIN and END lines' }
  const body = decodeBase64(base64)
  if (body === undefined) {
    return { form: 'damaged', found: 'one whose text between BEGIN and END is not base64, or is cut off' }
  }
  return { form: 'pem', label, encryption: dek?.[1]?.replace(/\s/g, ''), body }
}

function findPpk(pasted: string): KeyText | undefined {
  // A comment may hold a backslash (a Windows path), and is part of what the checksum covers.
  const escaped = /\\[nr]\s*Encryption:/.test(pasted)
  const text = escaped ? pasted.replace(/\\+(?:r\\+n|n|r)/g, '\n') : pasted
  const [, version, type, encryption] =
    /PuTTY-User-Key-File-(\d+)\s*:\s*(\S+)\s+Encryption:\s*(\S+)/.exec(text) ?? []
  if (version === undefined || type === undefined || encryption === undefined) return undefined
  if (version !== '2') return { form: 'ppk', version, type, encryption, text }
  const parts =
    /Comment: ?([^]*?)\s+Public-Lines:\s*\d+\s([\w+/=\s]+?)\sPrivate-Lines:\s*\d+\s([\w+/=\s]+?)\sPrivate-MAC:\s*([0-9a-f]{40})/.exec(
      text
    )
  const publicKey = decodeBase64(parts?.[2]?.replace(/\s/g, '') ?? '')
  const secret = decodeBase64(parts?.[3]?.replace(/\s/g, '') ?? '')
  if (publicKey === undefined || secret === undefined) {
    return { form: 'damaged', found: 'a PuTTY key that is cut off or damaged' }
  }
  const lines = [
    `PuTTY-User-Key-File-2: ${type}`,
    `Encryption: ${encryption}`,
    `Comment: ${parts?.[1] ?? ''}`,
    ...numbered('Public-Lines', wrap(publicKey, 64)),
    ...numbered('Private-Lines', wrap(secret, 64)),
    `Private-MAC: ${parts?.[4] ?? ''}`
  ]
  return { form: 'ppk', version, type, encryption, text: `${lines.join('\n')}\n` }
}

/** The text of a key that was put into base64 as a whole, as some guides advise for secrets. */
function unwrapBase64(text: string): string | undefined {
  const inner = decodeBase64(text.replace(/\\+[nr]|[\s"'`]/g, ''))?.toString('utf8')
  return inner !== undefined && /BEGIN [A-Z0-9 ]+-|PuTTY-User-Key-File-/.test(inner) ? inner : undefined
}

function wrap(bytes: Buffer, width: number): string[] {
  return bytes.toString('base64').match(new RegExp(`.{1,${width}}`, 'g')) ?? []
}

function numbered(name: string, lines: readonly string[]): string[] {
  return [`${name}: ${lines.length}`, ...lines]
}
