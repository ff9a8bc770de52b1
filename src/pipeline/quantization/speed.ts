// Never slower: what is published is timed against the original and against the slimmed float model. A first finding of
// "slower" is confirmed by a second timing.
import type { QuantizationTarget } from '../../passes/quantize/target.js';
import { instructionSet } from '../../runtime/machine.js';
import { compareLatency, type TimingComparison } from '../../runtime/latency.js';
import { timePair, type TimedPair } from '../measure.js';
import { isSlower } from '../speed-gate.js';
import type { QuantizationRun } from './quantization-run.js';

/** Whether a model for `target` takes the time here that it takes there. */
export function canTime({ name }: Pick<QuantizationTarget, 'name'>): boolean {
  return name === instructionSet();
}

/** A model against the original, and against the slimmed float model. */
export interface SpeedFinding {
  readonly original: TimedPair;
  /** Undefined for the slimmed model itself. */
  readonly slimmed: TimingComparison | undefined;
}

/** What timing needs of a run. */
export interface TimedRun {
  readonly bench: Pick<QuantizationRun['bench'], 'host'>;
  readonly files: Pick<QuantizationRun['files'], 'original' | 'slimmed'>;
  readonly request: Pick<QuantizationRun['request'], 'threads' | 'seed' | 'signal' | 'timingMs' | 'onStage'>;
  readonly split: Pick<QuantizationRun['split'], 'first'>;
  readonly journal: QuantizationRun['journal'];
}

/** Whether the model may not stand. */
export function isTooSlow({ original, slimmed }: SpeedFinding): boolean {
  return isSlower(original) || slimmed?.verdict === 'slower';
}

/** Times the model whose file `make` gives, called `name` in the journal; it is not made where the journal has its time. */
export async function timeCandidate(run: TimedRun, make: () => Promise<string>, name: string): Promise<SpeedFinding> {
  const first = await timeOnce(run, make, `time of ${name}`);
  return isTooSlow(first) ? timeOnce(run, make, `second time of ${name}`) : first;
}

async function timeOnce(run: TimedRun, make: () => Promise<string>, step: string): Promise<SpeedFinding> {
  const { bench, files, request, split, journal } = run;
  const { threads, seed, signal, timingMs, onStage } = request;
  return journal.recall(step, async () => {
    const path = await make();
    const options = { threads, seed, signal, timingMs, onStage: (what: string) => onStage?.(`measuring ${what}`) };
    const original = await timePair(bench.host, { before: files.original, after: path }, split.first, options);
    if (path === files.slimmed) return { original, slimmed: undefined };
    const slimmed = await compareLatency(bench.host, files.slimmed, path, split.first, {
      ...{ threads, seed, signal },
      ...(timingMs === undefined ? {} : { budget: timingMs }),
    });
    await bench.host.release();
    return { original, slimmed };
  });
}
