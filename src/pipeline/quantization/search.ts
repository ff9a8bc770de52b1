// Which nodes run on integers: all that can, unless the loss is too large or the model is slower than in float. Then nodes
// return to float in the order of noise removed per time added, whole runs of neighbours where conversions between them
// would cost more: for a price per unit of noise the cheapest assignment is a minimum cut, and a higher price only moves
// further nodes to float. The lowest price at which the loss holds is searched for.
import type { Candidate } from './candidate.js';
import { makeCandidate } from './candidate.js';
import { keepBest } from './search-best.js';
import { assignForms, type CutEdge } from './search-cut.js';
import { gateVerdict } from '../evaluation/evaluate-model.js';
import type { Interval } from '../../runtime/statistics.js';
import type { SearchStep } from './outcome.js';
import { floatsKey, type QuantizationRun } from './quantization-run.js';
import type { Score, Scorer } from './score-candidate.js';
import { measureSensitivity, noiseRemoved } from './sensitivity.js';
import { isTooSlow, timeCandidate, type SpeedFinding } from './speed.js';
import { layerCosts, neighboursOf, workOf, type LayerCosts, type Neighbours } from './speed-layers.js';

export interface Choice {
  /** Undefined: nothing on integers is kept. */
  readonly candidate: Candidate | undefined;
  readonly score: Score | undefined;
  readonly speed: SpeedFinding | undefined;
  readonly steps: readonly SearchStep[];
  /** Why nodes that could run on integers stay in float, by label. */
  readonly found: ReadonlyMap<string, 'slower' | 'loss'>;
}

/** Of a model that nothing can be done for. */
export const NOTHING_CHOSEN: Choice = {
  candidate: undefined,
  score: undefined,
  speed: undefined,
  steps: [],
  found: new Map(),
};

/**
 * Chooses what runs on integers; every candidate is scored by `scorer`. The model stands in the form of the candidate afterwards.
 * @throws what scoring and timing throw
 */
export async function chooseFloats(run: QuantizationRun, scorer: Scorer): Promise<Choice> {
  return new Search(run, scorer).choose();
}

/** One choice of float nodes that was scored. */
interface Tried {
  readonly float: ReadonlySet<string>;
  readonly score: Score;
}

/** Candidates scored in one search, and prices looked at. */
const MOST_STEPS = 16;
const MOST_PRICES = 60;
/** Prices grow by this factor until the loss holds, and are then narrowed down to this one. */
const PRICE_GROWTH = 8;
const PRICE_PRECISION = 1.2;
/** A node goes back to float for speed where integers take longer by more than what a profile may be off. */
const PROFILE_SLACK = { factor: 1.1, us: 1 } as const;

/** What is known of the nodes that may run on integers. */
interface Weighed {
  readonly labels: readonly string[];
  /** Those with weights: with all of them in float, nothing runs on integers. */
  readonly layers: ReadonlySet<string>;
  readonly costs: LayerCosts;
  readonly noise: ReadonlyMap<string, number>;
  readonly neighbours: readonly Neighbours[];
}

/** Share of the time on integers that float has to promise before a model with some nodes in float is made and timed. */
const WORTH_TRYING = 0.04;

/** The state of one search. */
class Search {
  readonly #run: QuantizationRun;
  readonly #scorer: Scorer;
  readonly #tried: Tried[] = [];

  constructor(run: QuantizationRun, scorer: Scorer) {
    this.#run = run;
    this.#scorer = scorer;
  }

  async choose(): Promise<Choice> {
    const { asked } = this.#run;
    const everything = await this.#try(asked);
    const isGood = this.#holds(everything);
    const speed = isGood ? await this.#time(everything) : undefined;
    if (isGood && !(speed && isTooSlow(speed)))
      return (speed && (await this.#tryFaster(everything, speed))) ?? this.#choice(everything, speed, new Map());
    const weighed = await this.#weigh(isGood ? 'time' : 'noise', everything);
    const fastest = this.#assign(weighed, 0);
    const reached = isGood ? await this.#tryFastest(weighed, fastest) : await this.#searchPrice(weighed, fastest);
    const reachedSpeed = reached && (await this.#time(reached));
    if (!reached || (reachedSpeed && isTooSlow(reachedSpeed))) {
      const reason = reached || isGood ? 'slower' : 'loss';
      return this.#choice(undefined, reachedSpeed ?? speed, new Map(weighed.labels.map((label) => [label, reason])));
    }
    const returned = [...reached.float].filter((label) => !asked.has(label));
    const found = new Map(returned.map((label) => [label, fastest.has(label) ? 'slower' : 'loss'] as const));
    return this.#choice(reached, reachedSpeed, found);
  }

  async #choice(tried: Tried | undefined, speed: SpeedFinding | undefined, found: Choice['found']): Promise<Choice> {
    const ratio = speed && ratioOf(speed).value;
    const steps = this.#tried.map(({ float, score }): SearchStep => ({
      float: [...float].filter((label) => !this.#run.asked.has(label)).sort(),
      loss: score.loss,
      latencyRatio: float === tried?.float ? ratio : undefined,
    }));
    const candidate = tried && (await this.#make(tried));
    const isSearch = steps.length > 1 || this.#run.request.maxDrop !== undefined;
    return { candidate, score: tried?.score, speed, steps: isSearch ? steps : [], found };
  }

  #holds({ score }: Tried): boolean {
    const { maxDrop } = this.#run.request;
    return maxDrop === undefined || gateVerdict(score.loss, maxDrop) === 'met';
  }

  /** Makes and scores a candidate, unless the journal knows its score. The best so far is kept beside the output. */
  async #try(float: ReadonlySet<string>): Promise<Tried> {
    const { journal, request } = this.#run;
    let isMade = false;
    const score = await journal.recall(`score of ${floatsKey(float)}`, async () => {
      isMade = true;
      return this.#scorer.score((await this.#make({ float })).path);
    });
    const result = { float, score };
    const isBest = this.#tried.every((other) => this.#isBetter(result, other));
    this.#tried.push(result);
    if (request.maxDrop !== undefined && isBest && isMade) await keepBest(this.#run);
    return result;
  }

  #isBetter(one: Tried, other: Tried): boolean {
    if (this.#holds(one) !== this.#holds(other)) return this.#holds(one);
    return this.#holds(one) ? one.float.size < other.float.size : one.score.loss.value < other.score.loss.value;
  }

  /** The candidate as a file: as it was made, unless another has been made since. */
  async #make({ float }: Pick<Tried, 'float'>): Promise<Candidate> {
    const { candidate } = this.#run.standing;
    return candidate?.float === float ? candidate : makeCandidate(this.#run, float);
  }

  async #time(tried: Tried): Promise<SpeedFinding | undefined> {
    if (!this.#run.timed) return undefined;
    const path = async (): Promise<string> => (await this.#make(tried)).path;
    return timeCandidate(this.#run, path, floatsKey(tried.float));
  }

  /** What decides between the nodes: their times, and where the loss is too large the noise that they make. */
  async #weigh(by: 'time' | 'noise', everything: Tried): Promise<Weighed> {
    const run = this.#run;
    const times = await layerCosts(run, () => this.#make(everything));
    // Where profiles, which count whole microseconds, leave nothing on integers, the work decides, and the timing at the end.
    const isOpen = by === 'time' || [...times.values()].some(({ int8, float }) => int8 < float);
    const costs = isOpen ? times : workOf(run);
    const nodes = run.preparation.plan.nodes.filter(({ node }) => costs.has(node.label));
    const layers = nodes.filter(({ operator }) => operator.role === 'product').map(({ node }) => node);
    const sensitivity =
      by === 'noise' ? await measureSensitivity(run, layers, () => this.#make(everything)) : new Map();
    const least = Math.min(...[...sensitivity.values()].map(noiseRemoved));
    const noise = layers.map(({ label }) => {
      const found = sensitivity.get(label);
      return [label, found ? noiseRemoved(found) : by === 'noise' ? least : 0] as const;
    });
    return {
      labels: nodes.map(({ node }) => node.label),
      layers: new Set(layers.map(({ label }) => label)),
      costs,
      noise: new Map(noise),
      neighbours: neighboursOf(run, nodes),
    };
  }

  /** The cheapest choice of float nodes where noise has this price, in microseconds. */
  #assign({ labels, costs, noise, neighbours }: Weighed, price: number): ReadonlySet<string> {
    const index = new Map(labels.map((label, at) => [label, at]));
    const forms = labels.map((label) => {
      const { int8 = 0, float = 0 } = costs.get(label) ?? {};
      const second = float * PROFILE_SLACK.factor + PROFILE_SLACK.us;
      return { first: int8 + price * (noise.get(label) ?? 0), second };
    });
    const edges = neighbours.flatMap(({ a, b, conversion }): CutEdge[] => {
      const [one, other] = [index.get(a), index.get(b)];
      return one === undefined || other === undefined ? [] : [{ a: one, b: other, cost: conversion }];
    });
    const isFloat = assignForms(forms, edges);
    return new Set([...this.#run.asked, ...labels.filter((_, at) => isFloat[at])]);
  }

  /** Where float promises much for some nodes, all on integers is timed against that. */
  async #tryFaster(everything: Tried, speed: SpeedFinding): Promise<Choice | undefined> {
    const weighed = await this.#weigh('time', everything);
    const fastest = this.#assign(weighed, 0);
    const all = timeOf(weighed, this.#run.asked);
    if (all - timeOf(weighed, fastest) < WORTH_TRYING * all) return undefined;
    const tried = await this.#tryFastest(weighed, fastest);
    const found = tried && (await this.#time(tried));
    if (!found || isTooSlow(found) || ratioOf(found).high >= ratioOf(speed).low) return undefined;
    const returned = [...fastest].filter((label) => !this.#run.asked.has(label));
    return this.#choice(tried, found, new Map(returned.map((label) => [label, 'slower'])));
  }

  /** The nodes that are faster in float return there. */
  async #tryFastest(weighed: Weighed, fastest: ReadonlySet<string>): Promise<Tried | undefined> {
    if (fastest.size <= this.#run.asked.size || isAllFloat(weighed, fastest)) return undefined;
    const tried = await this.#try(fastest);
    return this.#holds(tried) ? tried : undefined;
  }

  /** The candidate at the lowest price that was found to hold the loss; undefined when that is float. */
  async #searchPrice(weighed: Weighed, fastest: ReadonlySet<string>): Promise<Tried | undefined> {
    const bounds: Bounds = { low: 0, high: Infinity, failing: this.#run.asked, holding: undefined };
    if (fastest.size > this.#run.asked.size) await this.#narrow(bounds, 0, fastest, weighed);
    const start = firstPrice(weighed);
    for (let steps = 0; steps < MOST_PRICES && this.#tried.length < MOST_STEPS; steps++) {
      const isOpen = bounds.high === Infinity;
      if (!isOpen && bounds.high <= Math.max(bounds.low, start / 2 ** 30) * PRICE_PRECISION) break;
      const price = isOpen
        ? Math.max(start, bounds.low * PRICE_GROWTH)
        : Math.sqrt(Math.max(bounds.low, bounds.high / PRICE_GROWTH ** 2) * bounds.high);
      await this.#narrow(bounds, price, this.#assign(weighed, price), weighed);
    }
    return bounds.holding;
  }

  /** Finds out on which side of the bounds a price is. */
  async #narrow(bounds: Bounds, price: number, float: ReadonlySet<string>, weighed: Weighed): Promise<void> {
    const isSame = (other: ReadonlySet<string> | undefined): boolean =>
      other !== undefined && other.size === float.size && [...float].every((label) => other.has(label));
    if (isSame(bounds.failing)) bounds.low = price;
    else if (isAllFloat(weighed, float) || isSame(bounds.holding?.float)) bounds.high = price;
    else {
      const tried = await this.#try(float);
      if (this.#holds(tried)) [bounds.high, bounds.holding] = [price, tried];
      else [bounds.low, bounds.failing] = [price, float];
    }
  }
}

/** Time against that of the original. */
function ratioOf({ original: { latency } }: SpeedFinding): Interval {
  return latency[latency.decidedBy];
}

/** Time of the nodes with these in float, as their profiles and the conversions between them add up, in microseconds. */
function timeOf({ labels, costs, neighbours }: Weighed, isFloat: ReadonlySet<string>): number {
  const own = labels.reduce((sum, label) => sum + (costs.get(label)?.[isFloat.has(label) ? 'float' : 'int8'] ?? 0), 0);
  return neighbours.reduce(
    (sum, { a, b, conversion }) => sum + (isFloat.has(a) === isFloat.has(b) ? 0 : conversion),
    own,
  );
}

/** Nothing would run on integers. */
function isAllFloat({ layers }: Weighed, float: ReadonlySet<string>): boolean {
  return [...layers].every((label) => float.has(label));
}

/** Prices at which the loss is known to be too large, and known to hold. */
interface Bounds {
  low: number;
  high: number;
  failing: ReadonlySet<string>;
  /** Undefined where only float is known to hold. */
  holding: Tried | undefined;
}

/** A price at which the noise of all nodes weighs an eighth of what float would cost. */
function firstPrice({ costs, noise }: Weighed): number {
  const total = (numbers: Iterable<number>): number => [...numbers].reduce((sum, x) => sum + x, 0);
  const float = total([...costs.values()].map((cost) => cost.float));
  const all = total(noise.values());
  return all > 0 && float > 0 ? float / all / PRICE_GROWTH : 1;
}
