// How far a candidate is from the float model: the noise of its outputs, and that of every node, on calibration samples.
import { relativeNoise, signalToNoise, type SignalError, type SignalErrorSpec } from '../../fit/signal-error.js';
import type { Value } from '../../ir/value.js';
import { observe } from '../../runtime/observe.js';
import { isFloat } from '../../tensor/dtype.js';
import { inGroups } from '../calibration/observe-ranges.js';
import { instrument } from '../instrument.js';
import { benchFacts, firstFeeds, type QuantizationBench } from './bench.js';

/** Two model files with the same inputs and outputs. */
export interface ComparedModels {
  readonly teacher: string;
  readonly student: string;
}

/** Names of the outputs with floats of the model as it stands. */
export function floatOutputs({ decoded }: QuantizationBench): string[] {
  return decoded.model.graph.outputs.flatMap(({ name, type }) =>
    type?.kind === 'tensor' && type.dtype !== undefined && isFloat(type.dtype) ? [name] : [],
  );
}

export interface JudgedSamples {
  /** Names of the outputs. */
  readonly outputs: readonly string[];
  readonly samples: number;
  /** Samples in front of these. */
  readonly skipped?: number;
}

/** Noise over signal of the outputs, the mean of them; an output that the student does not get right at all counts as 1. */
export async function outputNoise(
  bench: QuantizationBench,
  models: ComparedModels,
  { outputs, samples, skipped = 0 }: JudgedSamples,
): Promise<number> {
  const specs = outputs.map((name): SignalErrorSpec => ({
    kind: 'signal-error',
    values: [`teacher/${name}`, `student/${name}`],
  }));
  const states = await observe(bench.host, models, specs, firstFeeds(bench.feeds(), samples, skipped), {
    signal: bench.signal,
  });
  const shares = states.map((state) => {
    const noise = relativeNoise(state as SignalError);
    return Number.isFinite(noise) ? noise : 1;
  });
  return shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length);
}

/** A value as it is called in the two models; `seen` belongs to the model as it stands. */
export interface PairedValue {
  readonly reference: string;
  readonly seen: Value;
}

/**
 * Signal to noise of each value, dB: the teacher returns all of them (`instrumentTeacher`), the student is the model as it
 * stands.
 */
export async function valueSignalToNoise(
  bench: QuantizationBench,
  teacher: string,
  { pairs, samples }: { readonly pairs: readonly PairedValue[]; readonly samples: number },
): Promise<ReadonlyMap<Value, number>> {
  const found = new Map<Value, number>();
  const bySeen = new Map(pairs.map((pair) => [pair.seen, pair.reference]));
  for (const group of inGroups([...bySeen.keys()], benchFacts(bench))) {
    const { path, names } = await instrument(bench.decoded, group, bench.workspace, { rest: 'drop' });
    const specs = group.map((value): SignalErrorSpec => ({
      kind: 'signal-error',
      values: [`teacher/${bySeen.get(value) ?? ''}`, `student/${names.get(value) ?? value.name}`],
    }));
    const feeds = firstFeeds(bench.feeds(), samples);
    const states = await observe(bench.host, { teacher, student: path }, specs, feeds, { signal: bench.signal });
    group.forEach((value, at) => void found.set(value, signalToNoise(states[at] as SignalError)));
    await bench.workspace.remove(path);
  }
  return found;
}
