/** Says in words, without a character of it, what text without a private key is. */
export function describeNonKey(text: string): string {
  const trimmed = text.trim()
  const known = SHAPES.find(([shape]) => shape.test(trimmed))
  return known?.[1] ?? `text of ${trimmed.length} characters that is no key`
}

/** In this order: the more telling shapes come first. */
const SHAPES: readonly (readonly [RegExp, string])[] = [
  [/^(?:""|'')?$/, 'an empty text (is the secret set, and may this workflow read it?)'],
  [/\$\{\{|^\$\{?\w+\}?$|^\$\(|^secrets\.\w+$/, 'a placeholder that nothing replaced'],
  [/^\*{3,}$/, 'the asterisks that stand for a masked secret in a log'],
  [
    /^(?:ssh-|ecdsa-|sk-)\S+-cert-v\d\d@openssh\.com\s/,
    'a certificate, which is not supported: give the private key, and put its public key into authorized_keys on the server'
  ],
  [
    /^(?:[\w"@=,.-]+\s+)?(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\w+|sk-\S+@openssh\.com)\s+AAAA/,
    'a public key: give the file of the same name without .pub'
  ],
  [/BEGIN (?:[A-Z0-9]+ )*PUBLIC KEY/, 'a public key: give the private one'],
  [/BEGIN (?:[A-Z0-9]+ )*CERTIFICATE/, 'a certificate: give the private key'],
  [/BEGIN PGP /, 'a PGP block, which is not for SSH'],
  [/BEGIN [A-Z]/, 'a block of another kind'],
  [/END (?:[A-Z0-9]+ )*PRIVATE KEY/, 'a private key without its BEGIN line: the beginning is cut off'],
  [/^(?:PuTTY|Private-Lines|Public-Lines)|Private-MAC:/, 'a part of a PuTTY key'],
  [/^SHA256:|^(?:MD5:)?(?:[0-9a-f]{2}:){15}/i, 'a fingerprint'],
  [
    /^(?:b3BlbnNzaC1rZXktdj|MII|MHcCAQEE|MIGkAgEB|MC4CAQAw)[A-Za-z0-9+/=\s]*$/,
    'the inside of a key without its BEGIN and END lines'
  ],
  [
    /^(?:~|\.{1,2})?[\\/][^\r\n]{0,250}$|^[A-Za-z]:[\\/][^\r\n]{0,250}$|^[\w./\\-]{0,200}(?:\.(?:pem|ppk|key|pub)|id_(?:rsa|dsa|ecdsa|ed25519))$/,
    'a file path: give the content of the file'
  ]
]
