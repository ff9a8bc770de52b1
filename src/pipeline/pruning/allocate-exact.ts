// Exact allocation by dynamic programming over the graph in which groups are tied that meet in a layer: one group after the
// other is eliminated. What is best for it depends on the widths of the groups that it is tied to, so for each of their
// combinations a list of trade-offs takes its place (variable elimination; on chains and trees, the blocks of a residual
// network, the lists depend on two or three groups).
import {
  lastWithin,
  NOTHING_DECIDED,
  sumOf,
  unionOf,
  type Alternative,
  type Frontier,
  type FrontierLimits,
} from './frontier.js';

/** A problem in tables; all costs are at least 0, what every choice costs is left out. */
export interface TableProblem {
  /** By variable and level. */
  readonly errors: readonly (readonly number[])[];
  readonly costs: readonly Float64Array[];
  /** Variables a < b; the cost of levels i, j at i * (levels of b) + j. */
  readonly ties: readonly CostTie[];
}

export interface CostTie {
  readonly a: number;
  readonly b: number;
  readonly costs: Float64Array;
}

/** Lists by levels of the variables of `scope`: the last one varies fastest. */
interface Message {
  readonly scope: readonly number[];
  readonly lists: readonly Frontier[];
}

/** One variable, and those that it is tied to when its turn comes. */
export interface Step {
  readonly variable: number;
  readonly scope: readonly number[];
}

/** The order of elimination: always the variable with the least lists to go through, the first of equals. */
export function eliminationOrder(problem: TableProblem): Step[] {
  const levels = problem.errors.map(({ length }) => length);
  const tied = levels.map(() => new Set<number>());
  for (const { a, b } of problem.ties) {
    tied[a]?.add(b);
    tied[b]?.add(a);
  }
  const left = new Set(levels.keys());
  const steps: Step[] = [];
  while (left.size > 0) {
    let [next, least] = [-1, Infinity];
    for (const variable of left) {
      const lists = 1 + steps.filter(({ scope }) => scope.includes(variable)).length;
      const size = lists * statesOf([variable, ...(tied[variable] ?? [])], levels);
      if (size < least) [next, least] = [variable, size];
    }
    const scope = [...(tied[next] ?? [])].sort((x, y) => x - y);
    steps.push({ variable: next, scope });
    left.delete(next);
    for (const one of scope) {
      tied[one]?.delete(next);
      for (const other of scope) if (other !== one) tied[one]?.add(other);
    }
  }
  return steps;
}

const statesOf = (scope: readonly number[], levels: readonly number[]): number =>
  scope.reduce((all, variable) => all * (levels[variable] ?? 1), 1);

/** Sums of points that elimination makes at most, about: what its time grows with. */
export function eliminationWork(problem: TableProblem, steps: readonly Step[], points: number): number {
  const levels = problem.errors.map(({ length }) => length);
  return steps.reduce((work, { variable, scope }) => {
    const states = statesOf([variable, ...scope], levels);
    // Lists of single groups are short; those that stand for many reach the limit.
    const lists = steps.filter((earlier) => earlier.scope.includes(variable)).length;
    return work + states * (1 + lists * points * Math.min(points, Math.max(...levels)));
  }, 0);
}

/** All trade-offs of the whole. */
export function eliminate(problem: TableProblem, steps: readonly Step[], limits: FrontierLimits): Frontier {
  let messages: Message[] = [];
  for (const step of steps) {
    const own = messages.filter(({ scope }) => scope.includes(step.variable));
    messages = [...messages.filter((message) => !own.includes(message)), messageOf(problem, step, own, limits)];
  }
  const parts = messages.map(({ lists: [list] }) => list ?? NOTHING_DECIDED);
  return parts.reduce((sum, list) => sumOf(sum, list, limits), NOTHING_DECIDED);
}

function messageOf(
  problem: TableProblem,
  { variable, scope }: Step,
  own: readonly Message[],
  limits: FrontierLimits,
): Message {
  const levels = problem.errors.map(({ length }) => length);
  const ties = problem.ties.filter(({ a, b }) => [a, b].includes(variable) && scope.includes(a === variable ? b : a));
  const lists: Frontier[] = [];
  const picks = new Int32Array(levels.length);
  for (let state = 0; state < statesOf(scope, levels); state++) {
    unpack(state, scope, levels, picks);
    const alternatives: Alternative[] = [];
    for (let level = 0; level < (levels[variable] ?? 0); level++) {
      picks[variable] = level;
      const cost = ties.reduce((sum, tie) => sum + tieCost(tie, picks, levels), problem.costs[variable]?.[level] ?? 0);
      if (cost > limits.most) continue;
      // Short lists first: their sums are made with every point of the long ones.
      const parts = own
        .map((message) => listAt(message, levels, picks))
        .sort((x, y) => x.costs.length - y.costs.length);
      const from = parts.reduce((sum, list) => sumOf(sum, list, limits), NOTHING_DECIDED);
      alternatives.push({ from, cost, error: problem.errors[variable]?.[level] ?? 0, level });
    }
    lists.push(unionOf(alternatives, variable, limits));
  }
  return { scope, lists };
}

function tieCost({ a, b, costs }: CostTie, picks: Int32Array, levels: readonly number[]): number {
  return costs[(picks[a] ?? 0) * (levels[b] ?? 1) + (picks[b] ?? 0)] ?? 0;
}

function listAt({ scope, lists }: Message, levels: readonly number[], picks: Int32Array): Frontier {
  const state = scope.reduce((at, variable) => at * (levels[variable] ?? 1) + (picks[variable] ?? 0), 0);
  return lists[state] ?? NOTHING_DECIDED;
}

function unpack(state: number, scope: readonly number[], levels: readonly number[], picks: Int32Array): void {
  let rest = state;
  for (const variable of scope.toReversed()) {
    const count = levels[variable] ?? 1;
    picks[variable] = rest % count;
    rest = Math.floor(rest / count);
  }
}

/** The levels of the point of least error of at most this cost; undefined where there is none. */
export function picksWithin(frontier: Frontier, most: number, variables: number): number[] | undefined {
  const point = lastWithin(frontier, most);
  return point < 0 ? undefined : picksAt(frontier, point, variables);
}

/** The levels of a point of the frontier, by variable. */
export function picksAt(frontier: Frontier, point: number, variables: number): number[] {
  const picks = new Int32Array(variables);
  frontier.trace(point, picks);
  return [...picks];
}
