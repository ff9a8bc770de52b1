// The options that no other one beats.

/** Those of which no other costs no more and loses no more; by rising cost, the error falls. */
export function paretoOptions<T extends { readonly error: number }>(
  options: readonly T[],
  costOf: (one: T) => number,
): T[] {
  const sorted = options.toSorted((a, b) => costOf(a) - costOf(b) || a.error - b.error);
  let least = Infinity;
  return sorted.filter(({ error }) => {
    const isBetter = error < least;
    least = Math.min(least, error);
    return isBetter;
  });
}
