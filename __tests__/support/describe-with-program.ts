import { describe, test } from '@jest/globals'

/** A describe that needs a program: without it, skipped with one line, or failed where CI is set. */
export function describeWithProgram(
  program: { readonly name: string; readonly isThere: boolean },
  name: string,
  define: () => void
): void {
  if (program.isThere) {
    describe(name, define)
  } else if (process.env.CI !== undefined && process.env.CI !== '') {
    describe(name, () => {
      test(`needs ${program.name}`, () => {
        throw new Error(`${program.name} is not installed; CI runs every test`)
      })
    })
  } else {
    console.log(`skipped, ${program.name} is not installed: ${name}`)
    describe.skip(name, define)
  }
}
