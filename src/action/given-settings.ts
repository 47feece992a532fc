import * as core from '@actions/core'
import { actionIn, readSettings } from '../run/inputs.js'
import type { Settings } from '../run/settings.js'

/** What the inputs of this step say, as `readSettings` reads them; the blanks around a password are a part of it. */
export function givenSettings(): Settings {
  return readSettings(name => core.getInput(name, { trimWhitespace: false }), actionIn(process.env))
}
