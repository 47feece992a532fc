// ssh2's fastPut for every file of a folder: fast-put.mjs FROM TO HOST PORT USER, with KEY_PATH in the environment.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ssh2 from 'ssh2'

const [from, to, host, port, username] = process.argv.slice(2)
const client = new ssh2.Client()
client.on('ready', async () => {
  const sftp = await promisify(client.sftp.bind(client))()
  await promisify(sftp.mkdir.bind(sftp))(to)
  const put = promisify(sftp.fastPut.bind(sftp))
  for (const name of readdirSync(from)) await put(join(from, name), `${to}/${name}`)
  client.end()
})
client.connect({ host, port: Number(port), username, privateKey: readFileSync(process.env.KEY_PATH) })
