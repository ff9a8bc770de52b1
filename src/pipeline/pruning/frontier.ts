// Trade-offs between cost and error: lists of points of which none is dearer and worse than another. Sums of two lists (all
// pairs) and unions are again such lists; where they grow beyond what is kept, points of about the same cost are thinned
// out, with the least cost and the cost of every point left exact, so that no budget is ever exceeded by rounding.

export interface Frontier {
  /** Ascending. */
  readonly costs: Float64Array;
  /** Descending. */
  readonly errors: Float64Array;
  /** Writes the levels that lead to a point, by variable. */
  trace(point: number, picks: Int32Array): void;
}

export interface FrontierLimits {
  /** Dearer points are dropped. */
  readonly most: number;
  /** Points kept; neighbours closer than most / points may merge. */
  readonly points: number;
}

/** Nothing decided yet: cost and error 0. */
export const NOTHING_DECIDED: Frontier = {
  costs: Float64Array.of(0),
  errors: Float64Array.of(0),
  trace: () => undefined,
};

/** A point of the list `from` with a level of a variable. */
export interface Alternative {
  readonly from: Frontier;
  readonly cost: number;
  readonly error: number;
  readonly level: number;
}

/** Every point of one list with every point of the other. */
export function sumOf(left: Frontier, right: Frontier, limits: FrontierLimits): Frontier {
  if (left === NOTHING_DECIDED) return right;
  if (right === NOTHING_DECIDED) return left;
  const columns = right.costs.length;
  const all = pointsFor(left.costs.length * columns);
  for (let i = 0, at = 0; i < left.costs.length; i++) {
    const [cost, error] = [left.costs[i] as number, left.errors[i] as number];
    for (let j = 0; j < columns; j++, at++) {
      all.costs[at] = cost + (right.costs[j] as number);
      all.errors[at] = error + (right.errors[j] as number);
    }
  }
  const { kept, ...points } = paretoOf(all, limits);
  return {
    ...points,
    trace: (point, picks) => {
      const at = kept[point] ?? 0;
      left.trace(Math.floor(at / columns), picks);
      right.trace(at % columns, picks);
    },
  };
}

/** The points of all alternatives; `variable` is what they decide. */
export function unionOf(alternatives: readonly Alternative[], variable: number, limits: FrontierLimits): Frontier {
  const starts: number[] = [];
  let count = 0;
  for (const { from } of alternatives) {
    starts.push(count);
    count += from.costs.length;
  }
  const all = pointsFor(count);
  const owner = new Int32Array(count);
  for (const [own, { from, cost, error }] of alternatives.entries()) {
    const start = starts[own] ?? 0;
    owner.fill(own, start, start + from.costs.length);
    for (let i = 0; i < from.costs.length; i++) {
      all.costs[start + i] = cost + (from.costs[i] as number);
      all.errors[start + i] = error + (from.errors[i] as number);
    }
  }
  const { kept, ...points } = paretoOf(all, limits);
  return {
    ...points,
    trace: (point, picks) => {
      const at = kept[point] ?? 0;
      const own = owner[at] ?? 0;
      picks[variable] = alternatives[own]?.level ?? 0;
      alternatives[own]?.from.trace(at - (starts[own] ?? 0), picks);
    },
  };
}

/** The last point of at most this cost: the least error. -1 where there is none. */
export function lastWithin({ costs }: Frontier, most: number): number {
  let [low, high] = [0, costs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((costs[middle] ?? 0) <= most) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

interface Points {
  readonly costs: Float64Array;
  readonly errors: Float64Array;
}

const pointsFor = (count: number): Points => ({ costs: new Float64Array(count), errors: new Float64Array(count) });

/** Those points that no other beats in both, thinned to about `limits.points`; `kept`: their numbers. */
function paretoOf(all: Points, limits: FrontierLimits): Points & { readonly kept: Int32Array } {
  const { costs, errors } = all;
  const candidates = costs.length > 4 * limits.points ? bucketed(all, limits) : byCost(all, limits);
  let least = Infinity;
  const survivors = candidates.filter((at) => {
    const isBetter = (errors[at] as number) < least;
    if (isBetter) least = errors[at] as number;
    return isBetter;
  });
  const kept = survivors.length > limits.points ? thinned(survivors, costs, limits) : survivors;
  const points = pointsFor(kept.length);
  for (const [i, at] of kept.entries()) {
    points.costs[i] = costs[at] as number;
    points.errors[i] = errors[at] as number;
  }
  return { ...points, kept };
}

function byCost({ costs, errors }: Points, { most }: FrontierLimits): Int32Array {
  const order = new Int32Array(costs.length);
  let count = 0;
  for (let at = 0; at < costs.length; at++) if ((costs[at] as number) <= most) order[count++] = at;
  const compare = (a: number, b: number): number =>
    (costs[a] as number) - (costs[b] as number) || (errors[a] as number) - (errors[b] as number) || a - b;
  return order.subarray(0, count).sort(compare);
}

const bucketOf = (cost: number, { most, points }: FrontierLimits): number =>
  most > 0 ? Math.min(points, Math.floor((cost / most) * points)) : 0;

/** The best of each range of costs, cheap ones first; and the cheapest of all in front of them. */
function bucketed({ costs, errors }: Points, limits: FrontierLimits): Int32Array {
  const best = new Int32Array(limits.points + 1).fill(-1);
  let cheapest = -1;
  const isBefore = (a: number, b: number, first: Float64Array, second: Float64Array): boolean =>
    b === -1 ||
    (first[a] as number) < (first[b] as number) ||
    (first[a] === first[b] && (second[a] as number) < (second[b] as number));
  for (let at = 0; at < costs.length; at++) {
    const cost = costs[at] as number;
    if (cost > limits.most) continue;
    if (isBefore(at, cheapest, costs, errors)) cheapest = at;
    const bucket = bucketOf(cost, limits);
    if (isBefore(at, best[bucket] as number, errors, costs)) best[bucket] = at;
  }
  return Int32Array.from([cheapest, ...best.filter((at) => at !== cheapest)].filter((at) => at !== -1));
}

/** Of the survivors of a range of costs the last, which has the least error; the first of all stays. */
function thinned(survivors: Int32Array, costs: Float64Array, limits: FrontierLimits): Int32Array {
  const bucket = (at: number | undefined): number => (at === undefined ? -1 : bucketOf(costs[at] ?? 0, limits));
  return survivors.filter((at, i) => i === 0 || bucket(at) !== bucket(survivors[i + 1]));
}
