// The search among kinds of changes, over models that are made up: a kind saves a part of the time for a loss, less each time.
import { describe, expect, it } from 'vitest';
import type { CombineRun } from '../../../src/pipeline/combining/combine-run.js';
import type { StageRun } from '../../../src/pipeline/combining/outcome.js';
import { searchChanges, type CombineFound } from '../../../src/pipeline/combining/search.js';
import { DEFAULT_COMBINING, type ChangeKind, type CombineSettings } from '../../../src/pipeline/combining/settings.js';
import type { Made, Variant } from '../../../src/pipeline/combining/variant.js';

/** What a kind does to a model within a limit: time that is left of it, and points that are lost. */
type World = Partial<
  Record<ChangeKind, (limit: number, on: Variant) => readonly [time: number, loss: number] | undefined>
>;

interface Tried {
  readonly kind: ChangeKind;
  readonly on: string;
  readonly limit: number | undefined;
}

const points = (value: number) => ({ unit: 'points', value, samples: 500 }) as unknown as Variant['step']['loss'];

/** Runs a search; `hours` that it may take, `hour` that each change takes. */
async function search(
  world: World,
  settings: Partial<CombineSettings> = {},
): Promise<{ readonly found: CombineFound; readonly tried: readonly Tried[] }> {
  const tried: Tried[] = [];
  const now = performance.now();
  const figures = { figures: { cost: { macs: 1000, parameters: 100 } }, file: { bytes: 400 } };
  const run = {
    request: { settings: { ...DEFAULT_COMBINING, maxDrop: 3, ...settings }, output: undefined },
    base: 'slim',
    slimmed: { path: 'slim', before: figures },
    time: { from: now, to: settings.effort === '1s' ? now : now + 3_600_000 },
  } as unknown as CombineRun;
  const measured = new Map<string, readonly [number, number]>([['slim', [1, 0]]]);
  const measure = (_: CombineRun, { about, raw, path, stages }: Made): Promise<Variant> => {
    const [latencyRatio, loss] = measured.get(about.name) ?? [1, 0];
    const step = { ...about, latencyRatio, loss: points(loss), macs: 1000, parameters: 100, bytes: 400 };
    return Promise.resolve({ step, digest: about.name, ms: latencyRatio, rawRatio: latencyRatio, raw, path, stages });
  };
  const found = await searchChanges(run, {
    measure,
    change: (_, { kind, on }, { name, limit }) => {
      tried.push({ kind, on: on.step.name, limit });
      const result = world[kind]?.(limit ?? 3, on);
      const explored: [] = [];
      if (!result) return Promise.resolve({ made: undefined, reason: 'nothing', message: 'worth', explored });
      measured.set(name, result);
      const made = { raw: name, path: name, what: kind, run: {} as StageRun };
      return Promise.resolve({ made, reason: 'nothing', message: undefined, explored });
    },
  });
  return { found, tried };
}

/** Saves `part` of the time within any limit, and loses what it may. */
const greedy =
  (part: number) =>
  (limit: number, { step }: Variant) =>
    [step.latencyRatio * (1 - part), limit] as const;

const names = ({ variants }: CombineFound): string[] => variants.map(({ step }) => step.name);

describe('the search', () => {
  it('starts with integers on the slimmed model, the one to beat, and tries them on every model along the way', async () => {
    const { found } = await search({
      prune: greedy(0.1),
      int8: (_, { step }) => [step.latencyRatio / 2, step.loss.value],
    });
    expect(names(found).slice(0, 2)).toEqual(['slim', 'int8']);
    expect(found.int8Alone?.step.name).toBe('int8');
    // As far as it went, half of the way, and the first step of it.
    const chains = found.variants.filter(({ step }) => step.kind === 'prune').map(({ step }) => step.name);
    const [first, last] = [chains[0], chains.at(-1)];
    expect(names(found)).toContain(`${first} + int8`);
    expect(names(found)).toContain(`${last} + int8`);
    expect(names(found).filter((name) => name.endsWith('+ int8')).length).toBe(3);
  });

  it('takes the kind that saves most time per loss, and goes on from there', async () => {
    const { found } = await search({
      prune: (limit, { step }) => (step.name.includes('prune') ? undefined : [0.8 * step.latencyRatio, limit]),
      deepen: (limit, { step }) => (step.name.includes('deepen') ? undefined : [0.5 * step.latencyRatio, limit]),
    });
    const all = names(found);
    expect(all).toContain('deepen + prune');
    expect(all).not.toContain('prune + deepen');
  });

  it('runs a kind again only where it was not worse than what was just found', async () => {
    const { tried } = await search({ deepen: greedy(0.5), prune: greedy(0.02), factorize: greedy(0.01) });
    const later = tried.filter(({ on }) => on === 'deepen');
    expect(later.map(({ kind }) => kind)).toEqual(['deepen']);
  });

  it('takes what pays with integers behind it, and not what saves more in float alone', async () => {
    const once = (kind: ChangeKind, part: number) => (limit: number, on: Variant) =>
      on.step.name.includes(kind) ? undefined : ([part * on.step.latencyRatio, limit] as const);
    // Chains are slow on integers; all else takes half.
    const int8 = (_: number, { step }: Variant) =>
      [step.latencyRatio * (step.name.includes('factorize') ? 0.9 : 0.5), step.loss.value] as const;
    const { found, tried } = await search({ factorize: once('factorize', 0.6), prune: once('prune', 0.8), int8 });
    expect(names(found)).toContain('prune + int8');
    expect(tried.some(({ on }) => on.startsWith('factorize + prune'))).toBe(false);
    // Measured once for each kind: after that, it is taken to be so again.
    expect(tried.filter(({ kind, on }) => kind === 'int8' && on === 'factorize')).toHaveLength(1);
  });

  it('goes on in float where nothing pays with integers behind it', async () => {
    const int8 = (_: number, { step }: Variant) =>
      [step.kind === 'slim' ? 0.5 : step.latencyRatio, step.loss.value] as const;
    const { found } = await search({ prune: greedy(0.3), int8 });
    expect(names(found).filter((name) => name.startsWith('prune')).length).toBeGreaterThan(2);
    const best = Math.min(...found.variants.map(({ step }) => step.latencyRatio));
    expect(best).toBeLessThan(0.5);
  });

  it('raises the limit in steps, and keeps what integers lose', async () => {
    const { tried } = await search({
      prune: greedy(0.1),
      int8: (_, { step }) => [step.latencyRatio / 2, step.loss.value + 0.6],
    });
    const limits = tried.filter(({ kind }) => kind === 'prune').map(({ limit }) => limit);
    expect(limits[0]).toBeCloseTo(1.2);
    expect(limits[1]).toBeCloseTo(2.4);
    expect(Math.max(...limits.map((limit) => limit ?? 0))).toBeCloseTo(2.4);
    expect(tried.filter(({ kind }) => kind === 'int8').every(({ limit }) => limit === 3)).toBe(true);
  });

  it('does not go on from what is no faster, or loses too much, and says so', async () => {
    const { found } = await search({ prune: () => [0.5, 4], factorize: () => [1, 0] });
    expect(found.idle).toContainEqual({ kind: 'prune', on: 'slim', reason: 'lossy', message: undefined });
    expect(found.idle).toContainEqual({ kind: 'factorize', on: 'slim', reason: 'no-gain', message: undefined });
    expect(names(found).some((name) => name.includes('+'))).toBe(false);
  });

  it('tells what a run that found nothing says, and what was not asked for', async () => {
    const { found } = await search({}, { kinds: ['prune'] });
    expect(found.idle).toContainEqual({ kind: 'prune', on: 'slim', reason: 'nothing', message: 'worth' });
    expect(found.idle).toContainEqual({ kind: 'int8', on: 'slim', reason: 'not-asked', message: undefined });
    expect(found.int8Alone).toBeUndefined();
  });

  it('tries integers once, and nothing else, when there is no time', async () => {
    const { found, tried } = await search(
      { prune: greedy(0.5), int8: (_, { step }) => [step.latencyRatio / 2, 0] },
      { effort: '1s' },
    );
    expect(tried.map(({ kind }) => kind)).toEqual(['int8']);
    expect(found.idle).toContainEqual({ kind: 'prune', on: 'slim', reason: 'no-time', message: undefined });
  });
});

describe('a target', () => {
  const world: World = { prune: (limit) => [1 - limit / 10, limit], int8: () => [0.9, 0.2] };

  it('that integers alone meet ends the search', async () => {
    const { found } = await search(world, { maxDrop: undefined, latency: '0.95x' });
    expect(names(found)).toEqual(['slim', 'int8']);
  });

  it('is approached with ever larger losses, until it is met', async () => {
    const { found, tried } = await search(world, { maxDrop: undefined, latency: '0.7x', kinds: ['prune'] });
    const limits = tried.map(({ limit }) => limit ?? 0);
    expect(limits).toEqual(limits.toSorted((a, b) => a - b));
    expect(found.variants.at(-1)?.step.latencyRatio).toBeLessThanOrEqual(0.7);
    expect(found.variants.slice(0, -1).every(({ step }) => step.latencyRatio > 0.7)).toBe(true);
  });
});
