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

export interface Unit {
  readonly symbol: string
  /** One of it, in bytes or in milliseconds. */
  readonly size: number
}

/** The unit in which so many bytes are a number from 1 to 1,024. */
export function byteUnit(bytes: number): Unit {
  const power = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length)
  return { symbol: UNITS[power - 1] ?? 'B', size: 1024 ** power }
}

/** The unit for an axis of so many milliseconds. */
export function timeUnit(milliseconds: number): Unit {
  if (milliseconds < 10_000) return { symbol: 'ms', size: 1 }
  if (milliseconds < 600_000) return { symbol: 's', size: 1_000 }
  if (milliseconds < 36_000_000) return { symbol: 'min', size: 60_000 }
  return { symbol: 'h', size: 3_600_000 }
}

/** Bytes a second for people: `12 MiB/s`; empty when no time has passed. */
export function formatSpeed(bytes: number, milliseconds: number): string {
  return milliseconds <= 0 ? '' : `${formatBytes((bytes / milliseconds) * 1000)}/s`
}

/** A whole number for people: `2,000`. By hand: the system's locales take 10 ms to load, before the first connection. */
export function formatNumber(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `1 file`, `2,000 files`. */
export function formatCount(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatNumber(count)} ${count === 1 ? singular : plural}`
}

function pad(value: number): string {
  return String(value).padStart(2, '0')
}
