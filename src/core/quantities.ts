const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** Bytes for people, in powers of 1,024: `0 B`, `512 B`, `1.5 MiB`, `30 GiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} B`
  let value = bytes
  let unit = ''
  for (const next of UNITS) {
    value /= 1024
    unit = next
    if (value < 1023.5) break
  }
  return `${value < 9.95 ? value.toFixed(1) : value.toFixed(0)} ${unit}`
}

/** Milliseconds for people: `0.4 s`, `42 s`, `3 min 05 s`, `2 h 07 min`. */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const minutes = Math.floor(whole / 60)
  if (minutes < 60) return `${minutes} min ${pad(whole % 60)} s`
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`
}

/** Bytes a second for people: `12 MiB/s`; empty when no time has passed. */
export function formatSpeed(bytes: number, milliseconds: number): string {
  return milliseconds <= 0 ? '' : `${formatBytes((bytes / milliseconds) * 1000)}/s`
}

/** `1 file`, `2,000 files`. */
export function formatCount(count: number, singular: string, plural = `${singular}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? singular : plural}`
}

function pad(value: number): string {
  return String(value).padStart(2, '0')
}
