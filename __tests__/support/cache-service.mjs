import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'

const twirpPrefix = '/twirp/github.actions.results.api.v1.CacheService/'
const v1Prefix = '/_apis/artifactcache/'
const twirpCodes = {
  400: 'invalid_argument',
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'bad_route',
  409: 'already_exists',
  429: 'resource_exhausted',
  500: 'internal',
  503: 'unavailable'
}

/**
 * Starts a stand-in for the Actions cache service, v2 and in short v1, as the client of @actions/cache 6 speaks to it: entries are
 * immutable per key and version, a prefix finds the newest entry, archives are blobs behind a URL.
 * `faults` may change at any time; cache-service.d.mts says what each does.
 */
export async function startCacheService() {
  const service = { url: '', entries: [], uploads: new Map(), requests: [], faults: {}, nextId: 1 }
  const server = createServer((request, response) => {
    answer(service, request, response).catch(error => {
      if (response.headersSent) response.destroy()
      else sendTwirpError(response, 500, error.message)
    })
  })
  // The client uploads for as long as it likes.
  server.requestTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  service.url = `http://127.0.0.1:${server.address().port}/`

  return {
    url: service.url,
    entries: service.entries,
    requests: service.requests,
    faults: service.faults,
    async close() {
      const closed = new Promise(resolve => server.close(resolve))
      server.closeAllConnections()
      await closed
    }
  }
}

async function answer(service, request, response) {
  const url = new URL(request.url ?? '/', service.url)
  if (url.pathname.startsWith(v1Prefix)) return answerV1(service, request, url, response)
  const isCall = url.pathname.startsWith(twirpPrefix)
  const method = isCall ? url.pathname.slice(twirpPrefix.length) : `${request.method} blob`
  const logged = { method }
  service.requests.push(logged)
  const body = await readBody(request)
  if (isCall) logged.key = parseJson(body).key

  const { silent, methods, times = Infinity } = service.faults
  const faulty = times > 0 && (methods === undefined || methods.includes(method))
  if (faulty) service.faults.times = times - 1
  if (faulty && silent === true) return
  if (!isCall) return answerBlob(service, { method: request.method, url, body, faulty }, response)

  const { status, html } = service.faults
  if (faulty && html === true) return sendHtml(response, status ?? 200)
  if (faulty && status !== undefined)
    return sendTwirpError(response, status, `a fault that the test asked for`)
  if (!(request.headers.authorization ?? '').startsWith('Bearer ')) {
    return sendTwirpError(response, 401, 'no bearer token')
  }
  const call = calls[method]
  if (call === undefined) return sendTwirpError(response, 404, `no method ${method}`)
  return call(service, parseJson(body), response)
}

/** Version 1, which GitHub Enterprise Server has: `GET cache`, `POST caches`, `PATCH caches/ID`, `POST caches/ID`. */
async function answerV1(service, request, url, response) {
  const [, what, id] = /^(cache|caches)(?:\/(\d+))?$/.exec(url.pathname.slice(v1Prefix.length)) ?? []
  const body = await readBody(request)
  const done = method => service.requests.push({ method })
  if (what === 'cache') {
    done('v1 find')
    const prefixes = (url.searchParams.get('keys') ?? '').split(',')
    const entry = findEntry(service.entries, url.searchParams.get('version'), prefixes)
    if (entry === undefined) return sendEmpty(response, 204)
    return sendJson(response, 200, { cacheKey: entry.key, archiveLocation: blobUrl(service, entry.id) })
  }
  if (request.method === 'POST' && id === undefined) {
    done('v1 reserve')
    const { key, version } = parseJson(body)
    const cacheId = service.nextId++
    service.uploads.set(String(cacheId), {
      id: cacheId,
      key,
      version,
      blocks: new Map(),
      bytes: Buffer.alloc(0)
    })
    return sendJson(response, 201, { cacheId })
  }
  const upload = service.uploads.get(id)
  if (upload === undefined) return sendEmpty(response, 404)
  if (request.method === 'PATCH') {
    done('v1 upload')
    upload.bytes = Buffer.concat([upload.bytes, body])
    return sendEmpty(response, 204)
  }
  done('v1 commit')
  service.uploads.delete(id)
  const { key, version, bytes } = upload
  service.entries.push({ id: Number(id), key, version, bytes })
  sendEmpty(response, 204)
}

const calls = {
  CreateCacheEntry(service, { key, version }, response) {
    const isSame = entry => entry.key === key && entry.version === version
    // A reservation that was never finished keeps its key too.
    if (service.entries.some(isSame) || [...service.uploads.values()].some(isSame)) {
      return sendTwirpError(response, 409, 'cache entry with the same key, version, and scope already exists')
    }
    const id = service.nextId++
    service.uploads.set(String(id), { id, key, version, blocks: new Map(), bytes: undefined })
    sendJson(response, 200, { ok: true, signed_upload_url: blobUrl(service, id), message: '' })
  },

  FinalizeCacheEntryUpload(service, { key, version, size_bytes: size }, response) {
    const upload = [...service.uploads.values()].find(entry => entry.key === key && entry.version === version)
    if (upload?.bytes === undefined) return sendTwirpError(response, 404, 'nothing was uploaded for this key')
    if (Number(size) !== upload.bytes.length) {
      return sendTwirpError(response, 400, `size_bytes is ${size}, uploaded were ${upload.bytes.length}`)
    }
    const { id, bytes } = upload
    service.uploads.delete(String(id))
    service.entries.push({ id, key, version, bytes })
    sendJson(response, 200, { ok: true, entry_id: String(id), message: '' })
  },

  GetCacheEntryDownloadURL(service, { key, version, restore_keys: restoreKeys = [] }, response) {
    const entry = findEntry(service.entries, version, [key, ...restoreKeys])
    if (entry === undefined)
      return sendJson(response, 200, { ok: false, signed_download_url: '', matched_key: '' })
    sendJson(response, 200, {
      ok: true,
      signed_download_url: blobUrl(service, entry.id),
      matched_key: entry.key
    })
  }
}

/** The exact key wins; then the newest entry of the first prefix that has one. */
function findEntry(entries, version, prefixes) {
  const newestFirst = entries.filter(entry => entry.version === version).reverse()
  const exact = newestFirst.find(({ key }) => key === prefixes[0])
  if (exact !== undefined) return exact
  for (const prefix of prefixes) {
    const found = newestFirst.find(({ key }) => key.startsWith(prefix))
    if (found !== undefined) return found
  }
  return undefined
}

/** The real service's URLs have two path parts and a signature; the client's Azure code relies on the first. */
function blobUrl(service, id) {
  return `${service.url}blob/actions-cache/${id}?sig=signature`
}

function answerBlob(service, { method, url, body, faulty }, response) {
  const { blobStatus } = service.faults
  const id = url.pathname.split('/').at(-1)
  if (faulty && blobStatus !== undefined) return sendEmpty(response, blobStatus)
  if (method === 'GET') {
    const entry = service.entries.find(candidate => String(candidate.id) === id)
    if (entry === undefined) return sendEmpty(response, 404)
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': entry.bytes.length
    })
    response.end(entry.bytes)
    return
  }
  const upload = service.uploads.get(id)
  if (method !== 'PUT' || upload === undefined) return sendEmpty(response, 404)
  switch (url.searchParams.get('comp')) {
    case 'block':
      upload.blocks.set(url.searchParams.get('blockid'), body)
      break
    case 'blocklist':
      upload.bytes = Buffer.concat(readBlockList(body).map(block => upload.blocks.get(block)))
      break
    default:
      upload.bytes = body
  }
  sendEmpty(response, 201, {
    etag: `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`,
    'last-modified': new Date().toUTCString()
  })
}

function readBlockList(xml) {
  return [...xml.toString().matchAll(/<Latest>([^<]*)<\/Latest>/g)].map(([, block]) => block)
}

function sendJson(response, status, value, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(value))
}

function sendTwirpError(response, status, msg) {
  const headers = status === 429 ? { 'retry-after': '5' } : {}
  sendJson(response, status, { code: twirpCodes[status] ?? 'unknown', msg }, headers)
}

function sendHtml(response, status) {
  response.writeHead(status, { 'content-type': 'text/html' })
  response.end('<html><body><h1>Bad gateway</h1></body></html>')
}

function sendEmpty(response, status, headers = {}) {
  response.writeHead(status, {
    'content-length': 0,
    'x-ms-request-id': 'stand-in',
    'x-ms-version': '2025-07-05',
    ...headers
  })
  response.end()
}

function parseJson(body) {
  return body.length === 0 ? {} : JSON.parse(body.toString())
}

async function readBody(request) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}
