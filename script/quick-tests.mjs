import { TestEnvironment } from 'jest-environment-node'

/** Tests that go through everything that can happen, in seconds each. */
const EXHAUSTIVE = /^(?:at any|before the first|gets every file right|is found out when the answer) /

/**
 * For Jest, where one mutant after the other is judged: leaves out tests that take long, and, after the first test of a
 * file that fails, the others.
 */
export default class QuickTests extends TestEnvironment {
  hasFailed = false

  handleTestEvent({ name, test }) {
    if (name === 'test_done' && test.errors.length > 0) this.hasFailed = true
    if (name === 'test_start' && (this.hasFailed || EXHAUSTIVE.test(test.name))) test.mode = 'skip'
  }
}
