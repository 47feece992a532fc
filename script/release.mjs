// What a release is called and what it brings, from package.json and CHANGELOG.md in the working directory.
//
//   node script/release.mjs tags     tag=v1.2.3 and major=v1, as lines for $GITHUB_OUTPUT
//   node script/release.mjs notes    the section of CHANGELOG.md
import { readFileSync } from 'node:fs'

const commands = { tags, notes }
const [command] = process.argv.slice(2)
try {
  if (!Object.hasOwn(commands, command))
    throw new Error(`usage: release.mjs tags|notes; found ${command ?? 'nothing'}`)
  console.log(commands[command](readVersion()))
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}

function tags(version) {
  return `tag=v${version}\nmajor=v${version.split('.', 1)[0]}`
}

function notes(version) {
  const sections = readFileSync('CHANGELOG.md', 'utf8').split(/^## /m).slice(1)
  const [first = ''] = sections
  const [heading, ...lines] = first.split('\n')
  if (heading.split(' ', 1)[0] !== version) {
    throw new Error(
      `CHANGELOG.md: the first section must be that of ${version}, the version in package.json; found ${heading || 'none'}`
    )
  }
  const text = lines.join('\n').trim()
  if (text === '')
    throw new Error(`CHANGELOG.md: the section of ${version} must say what it brings; it is empty`)
  return text
}

function readVersion() {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  const locked = JSON.parse(readFileSync('package-lock.json', 'utf8')).version
  if (!/^\d+\.\d+\.\d+$/.test(version))
    throw new Error(`package.json: the version of a release must be three numbers, 1.2.3; found ${version}`)
  if (locked !== version)
    throw new Error(
      `package-lock.json: the version must be that of package.json, ${version}; found ${locked}`
    )
  return version
}
