/** Waits until everything has settled, so that nothing is left in flight; then the values, or the first failure. */
export async function drain<T extends readonly unknown[]>(
  asked: T
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(asked)
  return Promise.all(asked)
}
