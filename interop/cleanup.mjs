/** What has to be done before this process ends, latest last. */
const waiting = new Set()

/** Keeps `cleanUp` for the case that the process is told to stop; the function that it returns does it now. */
export function whenDone(cleanUp) {
  waiting.add(cleanUp)
  return async () => {
    if (waiting.delete(cleanUp)) await cleanUp()
  }
}

/** Does all that is waiting, latest first. */
export async function cleanUpAll() {
  for (const cleanUp of [...waiting].reverse()) {
    waiting.delete(cleanUp)
    await cleanUp()
  }
}
