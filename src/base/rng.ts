// The only source of randomness: sfc32 (Chris Doty-Humphrey's PractRand generator), seeded, no global state.

export interface Rng {
  /** Uniform in [0, 1), 32 bits of resolution. */
  uniform(): number;
  /** Uniform integer in [low, high], both included. */
  int(low: number, high: number): number;
  /** Standard normal (Box-Muller). */
  normal(): number;
  /** One element; `items` must not be empty. */
  pick<T>(items: readonly T[]): T;
  /** An independent generator: the same `label` gives the same stream, whatever was drawn from this one. */
  fork(label: string): Rng;
}

/** A generator for `seed` (any number or string; equal seeds give equal streams). */
export function createRng(seed: number | string): Rng {
  let [a, b, c] = hashSeed(String(seed));
  let counter = 1;
  const next = (): number => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) next();
  const uniform = (): number => next() / 4294967296;
  return {
    uniform,
    int: (low, high) => low + Math.floor(uniform() * (high - low + 1)),
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    pick: (items) => {
      if (items.length === 0) throw new RangeError('pick: no items');
      return items[Math.floor(uniform() * items.length)] as (typeof items)[number];
    },
    fork: (label) => createRng(`${seed}/${label}`),
  };
}

/** Three 32-bit words from a string: FNV-1a with three offsets. */
function hashSeed(text: string): [number, number, number] {
  const word = (offset: number): number => {
    let h = 0x811c9dc5 ^ offset;
    for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
    return h | 0;
  };
  return [word(0), word(0x9e3779b9), word(0x7f4a7c15)];
}
