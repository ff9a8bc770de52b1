// The search for as much change as a loss allows: along a line of candidates, from the least change to the most, halving.
import { openModel } from '../onnx/open.js';
import { keepBest } from './best-so-far.js';
import type { Loss } from './evaluation/compare-answers.js';
import { gateVerdict } from './evaluation/evaluate-model.js';
import type { RunRequest, SampledRunRequest } from './run-request.js';

/**
 * Where the reported samples say that the model that was found on the samples for selection loses too much: others with less change, in
 * ever longer steps back to the first.
 */
function stepsBack(from: number): number[] {
  const places: number[] = [];
  for (let back = 0; back < from; back = Math.max(1, 2 * back)) places.push(from - back);
  return from >= 0 ? [...places, 0] : places;
}

interface Made {
  file(): Promise<{ readonly path: string }>;
}

export interface DropSearch<C extends Made, S> {
  /** Points of classifiers, percent of other outputs. */
  readonly maxDrop: number;
  /** From the least change to the most; the loss is taken to grow along them. */
  readonly candidates: readonly C[];
  /** Judges one on the samples for selection. */
  readonly judge: (candidate: C) => Promise<S>;
}

/** Halvings at once where there is time for one candidate alone. */
const LITTLE = 2;

/** Those looked at, in order; and the furthest that was allowed with some before it, the furthest first. */
export interface DropFound<C, S> {
  readonly steps: readonly S[];
  readonly candidates: readonly C[];
}

/**
 * The best so far is beside the output all the time; where the time is over, or would be before the next one is judged, it is what was
 * found. Where nothing was, one more is looked at, with little change. @throws what making and judging candidates throw
 */
export async function searchDrop<C extends Made, S extends { readonly loss: Loss }>(
  request: RunRequest & Pick<SampledRunRequest, 'until'>,
  { maxDrop, candidates, judge }: DropSearch<C, S>,
): Promise<DropFound<C, S>> {
  const steps: S[] = [];
  let [low, high] = [-1, candidates.length];
  const { until = Infinity } = request;
  let [longest, isLast] = [0, false];
  while (high - low > 1 && !isLast) {
    const start = performance.now();
    isLast = start + longest > until;
    if (isLast && low >= 0) break;
    const middle = isLast ? (high - 1) >> LITTLE : (low + high) >> 1;
    const candidate = candidates[middle];
    if (!candidate) break;
    const step = await judge(candidate);
    longest = Math.max(longest, performance.now() - start);
    steps.push(step);
    if (gateVerdict(step.loss, maxDrop) === 'missed') high = middle;
    else {
      low = middle;
      const { path } = await candidate.file();
      await keepBest(request, () => openModel(path, request));
    }
  }
  return { steps, candidates: stepsBack(low).flatMap((place) => candidates[place] ?? []) };
}

/** Why a model that the search found was not taken. */
export const givenUpText = (name: string, { value, unit }: Loss): string =>
  `${name} was given up: it loses ${value.toFixed(1)} ${unit} on the samples that are reported`;
