// How far the values of a candidate are from those of the float model, on calibration samples.
import { signalToNoise, type SignalError, type SignalErrorSpec } from '../../fit/signal-error.js';
import type { Value } from '../../ir/value.js';
import { observe } from '../../runtime/observe.js';
import { inGroups } from '../calibration/observe-ranges.js';
import { instrument } from '../instrument.js';
import { benchFacts, firstFeeds, type QuantizationBench } from './bench.js';

/** A value as it is called in the two models; `seen` belongs to the model as it stands. */
export interface PairedValue {
  readonly reference: string;
  readonly seen: Value;
}

/**
 * Signal to noise of each value, dB: the teacher returns all of them, the student is the model as it
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
