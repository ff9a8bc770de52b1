// Which nodes run on integers: all that can, unless the loss is too large or the model is slower than in float. Then nodes
// return to float in the order of noise removed per time added, whole runs of neighbours where conversions between them
// would cost more: for a price per unit of noise the cheapest assignment is a minimum cut, and a higher price only moves
// further nodes to float. The lowest price at which the loss holds is searched for.
import type { Candidate } from './candidate.js';
import { makeCandidate } from './candidate.js';
import { keepBest } from '../best-so-far.js';
import { assignForms, type CutEdge } from './search-cut.js';
import { BROKEN_LOSS, isSurelyBroken } from '../evaluation/broken-loss.js';
import { gateVerdict } from '../evaluation/evaluate-model.js';
import type { Interval } from '../../runtime/statistics.js';
import type { FloatMeasure, SearchStep } from './outcome.js';
import { floatsKey, type FloatFinding, type QuantizationRun } from './quantization-run.js';
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
  readonly found: ReadonlyMap<string, FloatFinding>;
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

/** Candidates scored in one search, but for what bisection needs. */
const MOST_STEPS = 16;
/** Prices looked at: this far below and above the one at which noise weighs as much as time, in steps of this factor. */
const PRICE_SPAN = 1e4;
const PRICE_GROWTH = 1.2;
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
  /** What of this was measured, not guessed, by label. */
  readonly measured: ReadonlyMap<string, FloatMeasure>;
}

/** Share of the time on integers that float has to promise before a model with some nodes in float is made and timed. */
const WORTH_TRYING = 0.04;

/** The state of one search. */
class Search {
  readonly #run: QuantizationRun;
  readonly #scorer: Scorer;
  readonly #tried: Tried[] = [];
  /** Time against the original, by what is in float. */
  readonly #ratios = new Map<ReadonlySet<string>, number>();

  constructor(run: QuantizationRun, scorer: Scorer) {
    this.#run = run;
    this.#scorer = scorer;
  }

  async choose(): Promise<Choice> {
    const { settled } = this.#run;
    const everything = await this.#try(settled);
    const isGood = this.#holds(everything);
    const { request, warnings } = this.#run;
    if (!isGood && request.maxDrop === undefined) warnings.push(brokenText(everything.score));
    const speed = isGood ? await this.#time(everything) : undefined;
    if (isGood && !(speed && isTooSlow(speed)))
      return (speed && (await this.#tryFaster(everything, speed))) ?? this.#choice(everything, speed, new Map());
    const weighed = await this.#weigh(isGood ? 'time' : 'noise', everything);
    const fastest = this.#assign(weighed, 0);
    const reached = isGood ? await this.#tryFastest(weighed, fastest) : await this.#searchPrice(weighed);
    const reachedSpeed = reached && (await this.#time(reached));
    if (!reached || (reachedSpeed && isTooSlow(reachedSpeed))) {
      const reason = reached || isGood ? 'slower' : 'loss';
      return this.#choice(
        undefined,
        reachedSpeed ?? speed,
        findings(weighed, weighed.labels, () => reason),
      );
    }
    const returned = [...reached.float].filter((label) => !settled.has(label));
    const found = findings(weighed, returned, (label) => (fastest.has(label) ? 'slower' : 'loss'));
    return this.#choice(reached, reachedSpeed, found);
  }

  async #choice(tried: Tried | undefined, speed: SpeedFinding | undefined, found: Choice['found']): Promise<Choice> {
    const steps = this.#tried.map(({ float, score }): SearchStep => ({
      float: [...float].filter((label) => !this.#run.settled.has(label)).sort(),
      loss: score.loss,
      latencyRatio: this.#ratios.get(float),
    }));
    const candidate = tried && (await this.#make(tried));
    const isSearch = steps.length > 1 || !candidate || this.#run.request.maxDrop !== undefined;
    return { candidate, score: tried?.score, speed, steps: isSearch ? steps : [], found };
  }

  #holds({ score: { loss } }: Tried): boolean {
    const { request, split } = this.#run;
    if (request.maxDrop !== undefined) return gateVerdict(loss, request.maxDrop) === 'met';
    return split.dataFree || !isSurelyBroken(loss);
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
    if (request.maxDrop !== undefined && isBest && isMade) await keepBest(request, () => this.#run.bench.decoded);
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
    const speed = await timeCandidate(this.#run, path, floatsKey(tried.float));
    this.#ratios.set(tried.float, ratioOf(speed).value);
    return speed;
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
      measured: new Map(
        nodes.map(({ node: { label } }) => {
          const [us, alone] = [run.timed ? times.get(label) : undefined, sensitivity.get(label)?.alone];
          return [label, { ...(us ? { us } : {}), ...(alone === undefined ? {} : { outputsDb: decibels(alone) }) }];
        }),
      ),
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
    return new Set([...this.#run.settled, ...labels.filter((_, at) => isFloat[at])]);
  }

  /** Where float promises much for some nodes, all on integers is timed against that. */
  async #tryFaster(everything: Tried, speed: SpeedFinding): Promise<Choice | undefined> {
    const weighed = await this.#weigh('time', everything);
    const fastest = this.#assign(weighed, 0);
    const all = timeOf(weighed, this.#run.settled);
    if (all - timeOf(weighed, fastest) < WORTH_TRYING * all) return undefined;
    const tried = await this.#tryFastest(weighed, fastest);
    const found = tried && (await this.#time(tried));
    if (!found || isTooSlow(found) || ratioOf(found).high >= ratioOf(speed).low) return undefined;
    const returned = [...fastest].filter((label) => !this.#run.settled.has(label));
    return this.#choice(
      tried,
      found,
      findings(weighed, returned, () => 'slower'),
    );
  }

  /** The nodes that are faster in float return there. */
  async #tryFastest(weighed: Weighed, fastest: ReadonlySet<string>): Promise<Tried | undefined> {
    if (fastest.size <= this.#run.settled.size || isAllFloat(weighed, fastest)) return undefined;
    const tried = await this.#try(fastest);
    return this.#holds(tried) ? tried : undefined;
  }

  /**
   * The candidate at the lowest price that was found to hold the loss; undefined when that is float. The loss is taken to fall
   * with the price; where that finds nothing, which may be chance, the assignments left out are tried as far as may be.
   */
  async #searchPrice(weighed: Weighed): Promise<Tried | undefined> {
    const ladder = this.#ladder(weighed);
    const open = new Set(ladder);
    const found: Tried[] = [];
    const tryNext = async (float: ReadonlySet<string> | undefined): Promise<boolean> => {
      if (!float) return false;
      open.delete(float);
      const tried = await this.#try(float);
      const isGood = this.#holds(tried);
      if (isGood) found.push(tried);
      return isGood;
    };
    for (let [low, high] = [-1, ladder.length]; high - low > 1;) {
      const middle = (low + high) >> 1;
      if (await tryNext(ladder[middle])) high = middle;
      else low = middle;
    }
    const left = [...open];
    const stride = Math.max(1, Math.ceil(left.length / Math.max(1, MOST_STEPS - this.#tried.length)));
    for (let at = 0; found.length === 0 && at < left.length; at += stride) await tryNext(left[at]);
    return found.at(-1);
  }

  /** The distinct choices of float nodes as the price grows, each with more of them than the one before. */
  #ladder(weighed: Weighed): ReadonlySet<string>[] {
    const ladder: ReadonlySet<string>[] = [];
    let size = this.#run.settled.size;
    const [start, end] = [priceOf(weighed) / PRICE_SPAN, priceOf(weighed) * PRICE_SPAN];
    for (let price = 0; price < end; price = Math.max(start, price * PRICE_GROWTH)) {
      const float = this.#assign(weighed, price);
      if (isAllFloat(weighed, float)) break;
      if (float.size > size) ladder.push(float);
      size = Math.max(size, float.size);
    }
    return ladder;
  }
}

function brokenText({ loss: { unit } }: Score): string {
  const limit = `${BROKEN_LOSS[unit]} ${unit}`;
  return `on integers alone the model loses more than ${limit}: layers went back to float; --max-drop sets another limit`;
}

/** A price at which the noise of all nodes weighs as much as float would cost. */
function priceOf({ costs, noise }: Weighed): number {
  const total = (numbers: Iterable<number>): number => [...numbers].reduce((sum, x) => sum + x, 0);
  const float = total([...costs.values()].map((cost) => cost.float));
  const all = total(noise.values());
  return all > 0 && float > 0 ? float / all : 1;
}

/** `labels` with what was measured of them. */
function findings(
  { measured }: Weighed,
  labels: readonly string[],
  reason: (label: string) => 'slower' | 'loss',
): ReadonlyMap<string, FloatFinding> {
  return new Map(labels.map((label) => [label, { reason: reason(label), measured: measured.get(label) }]));
}

/** Signal to noise of noise over signal. */
const decibels = (noise: number): number => -10 * Math.log10(noise);

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
