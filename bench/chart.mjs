// A bar chart of medians as SVG, one group a work; readable on a light and on a dark page.
const WIDTH = 860
const LABEL = 225
const ROW = 20
const GAP = 34

export function drawChart(results) {
  const parts = []
  let y = 10
  for (const { title, clients } of results) {
    const done = clients.filter(({ median }) => median !== undefined)
    const longest = Math.max(...done.map(({ median }) => median))
    parts.push(text(0, y + 14, title, 'title'))
    y += 24
    for (const { name, median, wrong } of clients) {
      const width = median === undefined ? 0 : (median / longest) * (WIDTH - LABEL - 140)
      const isOurs = name === 'resumable-sftp-upload'
      parts.push(text(LABEL - 8, y + 13, name, 'name'))
      parts.push(
        `<rect x="${LABEL}" y="${y + 2}" width="${Math.max(1, width).toFixed(1)}" height="${ROW - 6}" class="${isOurs ? 'ours' : 'peer'}"/>`
      )
      const value = median === undefined ? wrong : `${median.toFixed(2)} s`
      parts.push(text(LABEL + width + 8, y + 13, value, 'value'))
      y += ROW
    }
    y += GAP - ROW
  }
  const style =
    'text{font:12px system-ui,sans-serif;fill:#656d76}.title{font-weight:600}.name{text-anchor:end}.ours{fill:#1f883d}.peer{fill:#8c959f}'
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" role="img" aria-label="Upload times of SFTP clients"><style>${style}</style>\n${parts.join('\n')}\n</svg>\n`
}

function text(x, y, content, style) {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x.toFixed(1)}" y="${y}" class="${style}">${escaped}</text>`
}
