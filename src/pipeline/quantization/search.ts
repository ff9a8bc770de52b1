// Which nodes run on integers: all that can, unless the loss is too large or the model is slower than in float.
import type { Candidate } from './candidate.js';
import { makeCandidate } from './candidate.js';
import type { SearchStep } from './outcome.js';
import { floatsKey, type QuantizationRun } from './quantization-run.js';
import type { Score, Scorer } from './score-candidate.js';
import { isTooSlow, timeCandidate, type SpeedFinding } from './speed.js';

export interface Choice {
  /** Undefined: nothing on integers is kept. */
  readonly candidate: Candidate | undefined;
  readonly score: Score | undefined;
  readonly speed: SpeedFinding | undefined;
  readonly steps: readonly SearchStep[];
  /** Why nodes that could run on integers stay in float, by label. */
  readonly found: ReadonlyMap<string, 'slower' | 'loss'>;
}

export async function chooseFloats(run: QuantizationRun, scorer: Scorer): Promise<Choice> {
  const candidate = await makeCandidate(run, run.asked);
  const score = await run.journal.recall(`score of ${floatsKey(run.asked)}`, () => scorer.score(candidate.path));
  const speed = run.timed ? await timeCandidate(run, candidate.path, floatsKey(run.asked)) : undefined;
  const isKept = speed === undefined || !isTooSlow(speed);
  return { candidate: isKept ? candidate : undefined, score, speed, steps: [], found: new Map() };
}

/** Of a model that nothing can be done for. */
export const NOTHING_CHOSEN: Choice = {
  candidate: undefined,
  score: undefined,
  speed: undefined,
  steps: [],
  found: new Map(),
};
