// Blocks to choose among: proposals that touch each other exclude each other, and of each group of such the sets that can stand together
// are found, the least loss for each saving. Over the segments of a chain this is the dynamic program of depth merging (Kim 2023:
// D[l, t] = max over i of D[i, t - T[i, l]] + I[i, l]; LayerMerge 2024), with losses and times that are measured.
import type { Plan, Priced, PricedSite } from '../trading/choose.js';
import { COUNTED, costIn, type CostKind, type Costs } from '../trading/costs.js';
import { paretoOptions } from '../trading/pareto.js';

/** What one proposal would do to the model, alone. */
export interface PricedProposal {
  readonly name: string;
  /** Labels of the nodes that go or change. */
  readonly nodes: readonly string[];
  readonly loss: number;
  /** Of the whole model: what it has less; negative where it has more. */
  readonly saved: Costs;
}

/** Proposals that can stand together. */
export interface BlockOption extends Priced {
  readonly proposals: readonly string[];
}

export type BlockPlan = Plan<BlockOption>;

/** Sets that are looked at for each of what they leave open, and that are offered. */
const MOST_STATES = 48;
/** Of what a group could save at most: costs of options stay above 0. */
const ABOVE = 1.05;

/** Groups of proposals that exclude each other, each with the sets that may be chosen, by what they save of `kind`. */
export function blockSites(proposals: readonly PricedProposal[], kind: CostKind): PricedSite<BlockOption>[] {
  return groupsOf(proposals).map((group) => {
    const states = compatibleSets(group, kind).filter(({ chosen }) => chosen.length > 0);
    const whole = {
      ...(Object.fromEntries(
        COUNTED.map((key) => [key, ABOVE * Math.max(1, ...states.map(({ saved }) => saved[key]))]),
      ) as Record<(typeof COUNTED)[number], number>),
      latency: states.every(({ saved }) => saved.latency !== undefined)
        ? ABOVE * Math.max(1, ...states.map(({ saved }) => saved.latency ?? 0))
        : undefined,
    };
    const options = states.map(({ chosen, loss, saved }) => ({ proposals: chosen, loss, costs: minus(whole, saved) }));
    return { name: group[0]?.name ?? '', whole, options };
  });
}

/** Proposals that share nodes, directly or through others; in the order of the first of each. */
function groupsOf(proposals: readonly PricedProposal[]): PricedProposal[][] {
  const groups: { members: PricedProposal[]; nodes: Set<string> }[] = [];
  for (const one of proposals) {
    const touched = groups.filter(({ nodes }) => one.nodes.some((node) => nodes.has(node)));
    const [first = { members: [], nodes: new Set<string>() }, ...others] = touched;
    if (touched.length === 0) groups.push(first);
    for (const other of others) {
      first.members.push(...other.members);
      for (const node of other.nodes) first.nodes.add(node);
      groups.splice(groups.indexOf(other), 1);
    }
    first.members.push(one);
    for (const node of one.nodes) first.nodes.add(node);
  }
  const place = new Map(proposals.map((one, at) => [one, at]));
  return groups.map(({ members }) => members.toSorted((a, b) => (place.get(a) ?? 0) - (place.get(b) ?? 0)));
}

interface State {
  readonly chosen: readonly string[];
  /** Nodes that are taken and that proposals to come touch. */
  readonly taken: readonly string[];
  readonly loss: number;
  readonly saved: Costs;
}

const NOTHING: Costs = { macs: 0, params: 0, size: 0, latency: 0 };

function compatibleSets(group: readonly PricedProposal[], kind: CostKind): State[] {
  let states: State[] = [{ chosen: [], taken: [], loss: 0, saved: NOTHING }];
  for (const [at, one] of group.entries()) {
    const ahead = new Set(group.slice(at + 1).flatMap(({ nodes }) => nodes));
    const open = (nodes: readonly string[]): string[] => nodes.filter((node) => ahead.has(node)).toSorted();
    const grown = states
      .filter(({ taken }) => !one.nodes.some((node) => taken.includes(node)))
      .map(({ chosen, taken, loss, saved }) => ({
        chosen: [...chosen, one.name],
        taken: open([...taken, ...one.nodes]),
        loss: loss + one.loss,
        saved: plus(saved, one.saved),
      }));
    states = best([...states.map((state) => ({ ...state, taken: open(state.taken) })), ...grown], kind);
  }
  return states;
}

/** Of the sets that leave the same open, those that no other one beats. */
function best(states: readonly State[], kind: CostKind): State[] {
  const byTaken = new Map<string, State[]>();
  for (const state of states) {
    const key = state.taken.join('\n');
    byTaken.set(key, [...(byTaken.get(key) ?? []), state]);
  }
  return [...byTaken.values()].flatMap((alike) => {
    const open = alike.map((state) => ({ state, error: state.loss }));
    const pareto = paretoOptions(open, ({ state }) => -costIn(state.saved, kind)).map(({ state }) => state);
    if (pareto.length <= MOST_STATES) return pareto;
    const places = Array.from({ length: MOST_STATES }, (_, at) =>
      Math.round((at * (pareto.length - 1)) / (MOST_STATES - 1)),
    );
    return pareto.filter((_, at) => places.includes(at));
  });
}

const combine = (a: Costs, b: Costs, of: (x: number, y: number) => number): Costs => ({
  macs: of(a.macs, b.macs),
  params: of(a.params, b.params),
  size: of(a.size, b.size),
  latency: a.latency === undefined || b.latency === undefined ? undefined : of(a.latency, b.latency),
});

const plus = (a: Costs, b: Costs): Costs => combine(a, b, (x, y) => x + y);
const minus = (a: Costs, b: Costs): Costs => combine(a, b, (x, y) => x - y);

/** All proposals of a plan. */
export const proposalsOf = (plan: BlockPlan): readonly string[] => plan.flatMap(([, { proposals }]) => proposals);
