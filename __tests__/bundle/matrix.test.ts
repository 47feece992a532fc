import { expect, jest, test } from '@jest/globals'
import { writeTree } from '../support/artifact.js'
import { listFiles, makeDirectory, mebibyte, useSite, warningsOf } from '../support/runner-site.js'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(60_000)

describeWithSshd('jobs of a matrix that upload files of their own to one place', () => {
  const site = useSite()

  async function runJob(os: string, attempt: number, state: string) {
    const machine = await site.machine({ attempt, matrix: { os } })
    const directory = await makeDirectory(machine.workspace, 'build')
    await writeTree(directory, { [`app-${os}.bin`]: 2 * mebibyte, [`${os}.txt`]: os })
    const { main, post } = await machine.run(site.inputs({ state }))
    expect([main.exitCode, warningsOf(main, post)]).toEqual([0, []])
    return main.outputs
  }

  test.each(['cache', 'server'])(
    'have a state each, and a re-run skips what is in place (%s)',
    async state => {
      for (const os of ['linux', 'windows'])
        expect(await runJob(os, 1, state)).toMatchObject({ 'uploaded-count': '2', 'skipped-count': '0' })
      for (const os of ['linux', 'windows'])
        expect(await runJob(os, 2, state)).toMatchObject({ 'uploaded-count': '0', 'skipped-count': '2' })
      const names = ['app-linux.bin', 'app-windows.bin', 'linux.txt', 'windows.txt']
      expect(await listFiles(site.target)).toEqual(expect.arrayContaining(names))
    }
  )
})
