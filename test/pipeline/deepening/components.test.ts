// Sets of proposals that can stand together: against all sets there are, on random proposals over few nodes, and on the segments of a chain.
import { describe, expect, it } from 'vitest';
import { createRng } from '../../../src/base/rng.js';
import { blockSites, proposalsOf, type PricedProposal } from '../../../src/pipeline/deepening/components.js';
import { chooseWithin, costOfPlan, lossFrontier } from '../../../src/pipeline/trading/choose.js';

const proposal = (name: string, nodes: readonly string[], loss: number, us: number): PricedProposal => ({
  name,
  nodes,
  loss,
  saved: { macs: 10 * us, params: 0, size: 0, latency: us },
});

/** Proposals over few nodes, so that many of them touch. */
function randomProposals(seed: string, count = 9): PricedProposal[] {
  const rng = createRng(seed);
  return Array.from({ length: count }, (_, at) => {
    const first = rng.int(0, 7);
    const nodes = Array.from({ length: rng.int(1, 4) }, (__, step) => `n${first + step}`);
    return proposal(`p${at}`, nodes, rng.uniform(), 1 + rng.int(0, 30));
  });
}

/** Every set in which no two touch. */
function allSets(open: readonly PricedProposal[]): PricedProposal[][] {
  return open.reduce<PricedProposal[][]>(
    (sets, one) => [
      ...sets,
      ...sets
        .filter((set) => set.every(({ nodes }) => !nodes.some((node) => one.nodes.includes(node))))
        .map((set) => [...set, one]),
    ],
    [[]],
  );
}

const lossOf = (set: readonly PricedProposal[]): number => set.reduce((sum, { loss }) => sum + loss, 0);
const savedBy = (set: readonly PricedProposal[]): number => set.reduce((sum, one) => sum + (one.saved.latency ?? 0), 0);

describe('blocks to choose among', () => {
  it.each(Array.from({ length: 20 }, (_, seed) => `seed ${seed}`))(
    'hold the least loss of all sets for every saving: %s',
    (seed) => {
      const open = randomProposals(seed);
      const byName = new Map(open.map((one) => [one.name, one]));
      const sites = blockSites(open, 'latency');
      const whole = costOfPlan(sites, [], 'latency');
      for (const wanted of [1, 12, 25, 40, 60]) {
        const sets = allSets(open).filter((set) => savedBy(set) >= wanted);
        const choice = chooseWithin(sites, [{ cost: 'latency', most: whole - wanted }]);
        expect(choice.kind).toBe(sets.length === 0 ? 'infeasible' : 'found');
        const plan = choice.kind === 'found' ? choice.plan : [];
        const chosen = proposalsOf(plan).flatMap((name) => byName.get(name) ?? []);
        const nodes = chosen.flatMap((one) => one.nodes);
        expect(new Set(nodes).size).toBe(nodes.length);
        expect(savedBy(chosen)).toBeGreaterThanOrEqual(sets.length === 0 ? 0 : wanted - 1e-9);
        // The knapsack has a resolution.
        expect(lossOf(chosen)).toBeLessThanOrEqual(Math.min(...sets.map(lossOf)) * 1.05 + 1e-9);
      }
    },
  );

  it('are of their own where nothing is shared, and together where something between them is', () => {
    const apart = [proposal('a', ['1', '2'], 0.1, 5), proposal('b', ['3'], 0.2, 5)];
    expect(blockSites(apart, 'latency').map(({ options }) => options.map(({ proposals }) => proposals))).toEqual([
      [['a']],
      [['b']],
    ]);
    const between = [...apart, proposal('c', ['2', '3'], 0.15, 8)];
    const [only, ...others] = blockSites(between, 'latency');
    expect(others).toEqual([]);
    const sets = only?.options.map(({ proposals }) => proposals.join(' ')) ?? [];
    expect(sets).toContain('a b');
    expect(sets).not.toContain('a c');
    // Less saved at more loss than by `c` alone.
    expect(sets).not.toContain('b');
  });

  it('find the segments of a chain of which least is lost', () => {
    // Merging 2 and 3 of four layers is nearly free, all else is dear.
    const segments = [
      proposal('1-2', ['1', '2'], 0.5, 10),
      proposal('2-3', ['2', '3'], 0.01, 10),
      proposal('3-4', ['3', '4'], 0.5, 10),
      proposal('1-3', ['1', '2', '3'], 0.6, 20),
      proposal('2-4', ['2', '3', '4'], 0.3, 20),
      proposal('1-4', ['1', '2', '3', '4'], 2, 30),
    ];
    const plans = lossFrontier(blockSites(segments, 'latency'), 'latency', 16).map((plan) =>
      proposalsOf(plan).join(' '),
    );
    expect(plans).toEqual(['2-3', '2-4', '1-4']);
  });

  it('need a time where time is what counts', () => {
    const untimed = [{ ...proposal('a', ['1'], 0.1, 5), saved: { macs: 5, params: 1, size: 4, latency: undefined } }];
    const [site] = blockSites(untimed, 'macs');
    expect(site?.options).toMatchObject([{ proposals: ['a'], costs: { latency: undefined } }]);
    expect((site?.whole.macs ?? 0) - (site?.options[0]?.costs.macs ?? 0)).toBeCloseTo(5);
  });
});
