/**
 * Works on up to `atOnce` items at the same time, at least one; a function tells how many that are now. After a failure
 * nothing new is begun, and it throws when all ended.
 */
export async function forEach<T>(
  items: readonly T[],
  atOnce: number | (() => number),
  work: (item: T) => Promise<void>
): Promise<void> {
  const most = typeof atOnce === 'number' ? () => atOnce : atOnce
  const left = items.values()
  let working = 0
  let failure: { readonly error: unknown } | undefined
  await new Promise<void>(resolve => {
    const begin = () => {
      while (failure === undefined && working < Math.max(1, most())) {
        const { value, done } = left.next()
        if (done === true) break
        working++
        void work(value)
          .catch((error: unknown) => (failure ??= { error }))
          .then(() => {
            working--
            begin()
          })
      }
      if (working === 0) resolve()
    }
    begin()
  })
  if (failure !== undefined) throw failure.error
}
