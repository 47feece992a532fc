// What is uploaded, over which line; without one, over the loopback.
const MIB = 1024 * 1024
const long = { rttMs: 50, mbit: 1000 }

export const works = [
  { id: 'large', title: '256 MiB, 50 ms, 1 Gbit/s', line: long, files: [256 * MIB] },
  { id: 'larger', title: '1 GiB, 50 ms, 1 Gbit/s', line: long, files: [1024 * MIB] },
  {
    id: 'far',
    title: '256 MiB, 100 ms, 1 Gbit/s, 8 connections',
    line: { rttMs: 100, mbit: 1000 },
    files: [256 * MIB],
    inputs: { connections: '8' }
  },
  {
    id: 'lossy',
    title: '256 MiB, 50 ms, 1 Gbit/s, 0.3 % loss, 8 connections',
    line: { ...long, lossPercent: 0.3 },
    files: [256 * MIB],
    inputs: { connections: '8' }
  },
  {
    id: 'narrow',
    title: '32 MiB, 50 ms, 20 Mbit/s',
    line: { rttMs: 50, mbit: 20 },
    files: [32 * MIB]
  },
  {
    id: 'slow',
    title: '4 MiB, 50 ms, 2 Mbit/s',
    line: { rttMs: 50, mbit: 2 },
    files: [4 * MIB]
  },
  {
    id: 'lossier',
    title: '32 MiB, 50 ms, 1 Gbit/s, 1 % loss',
    line: { ...long, lossPercent: 1 },
    files: [32 * MIB]
  },
  {
    id: 'small',
    title: '2,000 files of 4 KiB, 50 ms, 1 Gbit/s',
    line: long,
    files: Array.from({ length: 2000 }, () => 4096)
  },
  { id: 'large-local', title: '1 GiB, loopback', files: [1024 * MIB] },
  {
    id: 'small-local',
    title: '2,000 files of 4 KiB, loopback',
    files: Array.from({ length: 2000 }, () => 4096)
  },
  {
    id: 'many',
    title: '100,000 files of 4 KiB, loopback',
    files: Array.from({ length: 100_000 }, () => 4096)
  }
]
