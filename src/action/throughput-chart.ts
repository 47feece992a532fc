import { byteUnit, timeUnit } from '../core/quantities.js'
import type { History } from '../core/report.js'
import { diagram, plainNumber } from './mermaid.js'

/** What is over sooner has no curve worth a look. */
const SHORTEST_MS = 10_000
const FEWEST_POINTS = 8
const MOST_POINTS = 60
/** With fewer acknowledgements for each point the curve shows their rhythm instead of the pace. */
const ADDITIONS_A_POINT = 16

const SETTINGS = {
  xyChart: {
    width: 860,
    height: 280,
    titleFontSize: 15,
    titlePadding: 8,
    xAxis: { labelFontSize: 12, titleFontSize: 12 },
    yAxis: { labelFontSize: 11, titleFontSize: 12 }
  },
  // Legible on a light and on a dark page; the other colours are those of GitHub's theme.
  themeVariables: { xyChart: { backgroundColor: 'transparent', plotColorPalette: '#2da44e' } }
}

/** The bytes a second over the time of a run, as a Mermaid diagram; nothing for a run that has no curve. */
export function throughputChart({ throughput, elapsedMs }: History): string[] {
  const points = Math.min(MOST_POINTS, Math.floor(throughput.additions / ADDITIONS_A_POINT))
  if (elapsedMs < SHORTEST_MS || points < FEWEST_POINTS) return []
  const rates = throughput.rates(points, elapsedMs)
  const highest = Math.max(...rates)
  const pace = byteUnit(highest)
  const time = timeUnit(elapsedMs)
  return diagram(SETTINGS, [
    'xychart-beta',
    `  title "Throughput in ${pace.symbol}/s"`,
    `  x-axis "time in ${time.symbol}" 0 --> ${plainNumber(elapsedMs / time.size)}`,
    `  y-axis 0 --> ${plainNumber((highest / pace.size) * 1.05)}`,
    `  line [${rates.map(rate => plainNumber(rate / pace.size)).join(', ')}]`
  ])
}
