// Householder reflections I - v v^T, v of length sqrt 2.

/**
 * Turns the column that stands in `v` from `from` on into the normal of the reflection that clears all of it but its first element. Returns
 * what becomes of that. `v` becomes zero where there is nothing to clear: the squared length of the others is at most `nothing`.
 */
export function makeMirror(v: Float64Array, from: number, nothing: number): number {
  const first = v[from] as number;
  let below = 0;
  for (let i = from + 1; i < v.length; i++) below += (v[i] as number) ** 2;
  if (below <= nothing) {
    v.fill(0);
    return first;
  }
  const length = Math.sqrt(first * first + below);
  const result = first > 0 ? -length : length;
  const lead = first - result;
  const factor = Math.sqrt(2 / (lead * lead + below));
  v[from] = lead * factor;
  for (let i = from + 1; i < v.length; i++) v[i] = (v[i] as number) * factor;
  return result;
}
