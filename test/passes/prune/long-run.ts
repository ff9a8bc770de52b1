// What bench/prune-correctness.mjs runs: removal on model files, and on many random nets.
import { pathToFileURL } from 'node:url';
import { printModel } from '../../../src/ir/text/print.js';
import { openModel } from '../../../src/onnx/open.js';
import { findFeeds, type FeedSearchOptions } from '../../../src/runtime/find-feeds.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { randomFeed } from '../../property/random-graphs.js';
import { runModel } from '../run-model.js';
import { checkRemoval, type Correctness, type CorrectnessOptions } from './correctness.js';
import { randomChannels } from './random-channels.js';

export interface LongRunOptions extends Pick<CorrectnessOptions, 'share' | 'limit'> {
  /** The compiled runtime worker. */
  readonly worker: string;
}

export interface NetTotals {
  nets: number;
  /** Nets that ONNX Runtime does not run. */
  unrunnable: number;
  groups: number;
  prunable: number;
  trials: number;
  worst: number;
  readonly frozen: Map<string, number>;
  readonly refused: Map<string, number>;
  /** Seeds. */
  readonly missed: number[];
}

/** A multiplication with a mask spreads it over the value from this operator set on. */
const LEAST_OPSET = 7;

/** Random feeds, and border values, which reach the ends of clips. Faint ones are left out: they are noise to a normalization. */
const KINDS = ['normal', 'uniform', 'border'] as const;

export type RemovalRun = ReturnType<typeof openRemoval>;

/** A runtime, and what is done on it. */
export function openRemoval({ worker, share, limit }: LongRunOptions) {
  const host = new RuntimeHost({ workerUrl: pathToFileURL(worker) });
  return {
    /** The model at `path`; a sentence when it cannot be checked. `feeds`: how it is to be fed. */
    async model(path: string, feeds: Pick<FeedSearchOptions, 'shapes' | 'fixed'>): Promise<Correctness | string> {
      const { model } = await openModel(path);
      if (model.opset < LEAST_OPSET) return `operator set ${model.opset}: masks need ${LEAST_OPSET}`;
      const found = await findFeeds(host, path, { seed: 1, kinds: KINDS, ...feeds });
      if (found.verdict !== 'found') return found.error.message;
      const samples = found.samples.slice(0, KINDS.length).map((sample) => sample.feeds);
      return checkRemoval(model, samples, host, { share, limit, seed: 1 });
    },
    nets: (first: number, count: number, print: (line: string) => void): Promise<NetTotals> =>
      checkNets(host, { first, count, share, limit }, print),
    dispose: (): Promise<void> => host.dispose(),
  };
}

interface NetOptions extends Pick<CorrectnessOptions, 'share' | 'limit'> {
  readonly first: number;
  readonly count: number;
}

/** Random nets from seed `first`; those that missed are printed. */
async function checkNets(host: RuntimeHost, options: NetOptions, print: (line: string) => void): Promise<NetTotals> {
  const totals: NetTotals = {
    nets: 0,
    unrunnable: 0,
    groups: 0,
    prunable: 0,
    trials: 0,
    worst: 0,
    frozen: new Map(),
    refused: new Map(),
    missed: [],
  };
  for (let seed = options.first; seed < options.first + options.count; seed++) {
    const graph = randomChannels(seed);
    const feeds = [randomFeed(graph, 0), randomFeed(graph, 1)];
    totals.nets++;
    const refusal = await runModel(host, graph.model, feeds[0] ?? new Map()).then(
      () => undefined,
      (error: unknown) => String(error),
    );
    if (refusal !== undefined) {
      totals.unrunnable++;
      print(`net ${seed}: ${refusal}`);
      continue;
    }
    const result = await checkRemoval(graph.model, feeds, host, { ...options, seed });
    add(totals, result);
    const misses = result.trials.filter(({ miss }) => miss !== undefined);
    if (misses.length === 0) continue;
    totals.missed.push(seed);
    print(`net ${seed}: ${misses.map(({ what, miss }) => `${what}: ${miss}`).join('; ')}`);
    print(printModel(graph.model, { weights: 'brief' }));
  }
  return totals;
}

function add(totals: NetTotals, { groups, prunable, frozen, refused, trials }: Correctness): void {
  totals.groups += groups;
  totals.prunable += prunable;
  totals.trials += trials.length;
  for (const { error = 0 } of trials) totals.worst = Math.max(totals.worst, error);
  for (const [code, count] of frozen) totals.frozen.set(code, (totals.frozen.get(code) ?? 0) + count);
  for (const [code, count] of refused) totals.refused.set(code, (totals.refused.get(code) ?? 0) + count);
}
