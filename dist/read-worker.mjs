// @ts-check
import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
/**
 * Reads files into memory that it shares with the main thread, and hashes what it reads. Plain JavaScript, because a
 * worker is started from a file: the same one from the sources, the compiled library and the bundle.
 *
 * @typedef {object} ReadRequest
 * @property {number} id  of the answer
 * @property {number} stream  reads of one stream, in order, are hashed together
 * @property {number} fd
 * @property {number} position  in the file, in bytes
 * @property {number} length  bytes
 * @property {number | undefined} at  where in the shared memory; undefined: the bytes are only hashed
 * @property {boolean} hashed
 * @property {boolean} last  where it is hashed, the answer has the digest of the stream
 *
 * @typedef {object} ReadAnswer
 * @property {number} id
 * @property {number} bytesRead  fewer than asked for only at the end of the file
 * @property {string} [digest]  SHA-256 in base64
 * @property {string} [error]
 */
const shared = Buffer.from(/** @type {SharedArrayBuffer} */ (workerData));
const scratch = new (class {
    #bytes = Buffer.alloc(0);
    /** @param {number} length */
    of(length) {
        if (this.#bytes.length < length)
            this.#bytes = Buffer.allocUnsafeSlow(length);
        return this.#bytes.subarray(0, length);
    }
})();
/** @type {Map<number, import('node:crypto').Hash>} */
const hashes = new Map();
parentPort?.on('message', (/** @type {ReadRequest} */ request) => {
    parentPort?.postMessage(answer(request));
});
/**
 * @param {ReadRequest} request
 * @returns {ReadAnswer}
 */
function answer({ id, stream, fd, position, length, at, hashed, last }) {
    try {
        const target = at === undefined ? scratch.of(length) : shared.subarray(at, at + length);
        const bytesRead = readFully(fd, target, position);
        if (!hashed)
            return { id, bytesRead };
        const hash = hashes.get(stream) ?? createHash('sha256');
        hash.update(target.subarray(0, bytesRead));
        if (!last)
            hashes.set(stream, hash);
        else
            hashes.delete(stream);
        return last ? { id, bytesRead, digest: hash.digest('base64') } : { id, bytesRead };
    }
    catch (error) {
        hashes.delete(stream);
        return { id, bytesRead: 0, error: error instanceof Error ? error.message : String(error) };
    }
}
/**
 * @param {number} fd
 * @param {Buffer} target
 * @param {number} position
 */
function readFully(fd, target, position) {
    let filled = 0;
    while (filled < target.length) {
        const bytes = readSync(fd, target, filled, target.length - filled, position + filled);
        if (bytes === 0)
            break;
        filled += bytes;
    }
    return filled;
}
