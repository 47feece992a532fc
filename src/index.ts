import './small-heap.js'
import './esm-dirname.js'
import * as core from '@actions/core'
import { reasonOf } from './core/errors.js'
import { isCacheProcess, serveCacheOperation } from './adapters/state/serve-cache-operation.js'
import { main } from './action/main.js'
import { isPost } from './action/phases.js'
import { post } from './action/post.js'
import { printableLines } from './run/printable.js'
import { stopSignal } from './run/stop-signal.js'

if (isCacheProcess()) {
  await serveCacheOperation()
} else if (isPost()) {
  await post()
} else {
  try {
    await main(stopSignal())
  } catch (error) {
    const message = reasonOf(error)
    core.setFailed(printableLines(message))
  }
}
