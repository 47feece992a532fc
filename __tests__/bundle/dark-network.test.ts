import { expect, jest, test } from '@jest/globals'
import { startLink } from '../support/link.mjs'
import { buildArtifact, errorsOf, mebibyte, useSite } from '../support/runner-site.js'
import { describeWithSshd, startSshd } from '../support/sshd.js'

jest.setTimeout(60_000)

describeWithSshd('a network that goes dark and stays so', () => {
  const site = useSite()

  test.each([['to the server'], ['to its jump host']])(
    '%s: the step fails, and the process ends',
    async where => {
      const jump = site.closeLater(await startSshd())
      const link =
        where === 'to the server' ? site.link : site.closeLater(await startLink({ port: jump.port }))
      const machine = await site.machine({ withCache: false })
      await buildArtifact(machine, 40 * mebibyte)
      const phase = await machine.startMain(
        site.inputs({
          state: 'none',
          'stall-timeout': '1',
          ...(link === site.link
            ? {}
            : {
                'jump-host': `${jump.username}@127.0.0.1:${link.port}`,
                'jump-key': jump.privateKey,
                'jump-known-hosts': jump.formatKnownHosts(link.port)
              })
        })
      )
      await link.waitFor(10 * mebibyte)
      link.pause()
      const at = performance.now()
      const ended = await Promise.race([
        phase.done,
        new Promise<undefined>(resolve => setTimeout(() => resolve(undefined), 10_000).unref())
      ])
      expect(performance.now() - at).toBeLessThan(8000)
      expect(ended?.exitCode).toBe(1)
      if (ended !== undefined) expect(errorsOf(ended)[0]).toMatch(/silent for/)
    }
  )
})
