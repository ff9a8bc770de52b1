// The range of every quantized value: of those that the calibrators propose, the one with which the layers that read the
// value are off by least. Each layer is run on the value as quantized in each way, beside the model itself; values that no
// layer with weights reads are judged by their own error.
import type { CalibratedRange } from '../../fit/calibrators/calibrator.js';
import { CALIBRATORS, type CalibratorName } from '../../fit/calibrators/registry.js';
import type { RangeState } from '../../fit/range.js';
import { relativeNoise, type SignalError, type SignalErrorSpec } from '../../fit/signal-error.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { activationParameters, type ActivationParameters } from '../../passes/quantize/parameters.js';
import type { QuantizationPlan, ValueGroup } from '../../passes/quantize/plan.js';
import type { QuantizationTarget } from '../../passes/quantize/target.js';
import { Tensor } from '../../tensor/tensor.js';
import { inGroups } from '../calibration/observe-ranges.js';
import { benchFacts, observeValues, type QuantizationBench } from './bench.js';

/** How a group of values is quantized, and who chose its range. */
export interface ChosenRange {
  readonly parameters: ActivationParameters;
  readonly range: CalibratedRange;
  readonly calibrator: CalibratorName | 'fixed';
  /** Noise over signal of the readers, by calibrator; empty where there was nothing to choose. */
  readonly noise: ReadonlyMap<CalibratorName, number>;
}

export interface RangeRequest {
  readonly plan: QuantizationPlan;
  readonly states: ReadonlyMap<Value, RangeState>;
  readonly target: QuantizationTarget;
  /** Calibrators to choose from; one: no choice. */
  readonly calibrators: readonly CalibratorName[];
}

/** Samples that the choice rests on. */
const JUDGING_SAMPLES = 32;

export async function chooseRanges(
  bench: QuantizationBench,
  { plan, states, target, calibrators }: RangeRequest,
): Promise<ReadonlyMap<ValueGroup, ChosenRange>> {
  const open: Proposal[] = [];
  const chosen = new Map<ValueGroup, ChosenRange>();
  for (const group of plan.groups) {
    const proposals = proposalsFor(group, { states, target, calibrators });
    const [first] = proposals;
    if (!first) continue;
    if (proposals.length === 1) chosen.set(group, { ...first, noise: new Map() });
    else open.push({ group, proposals });
  }
  const noise = await judge(bench, open);
  for (const { group, proposals } of open) {
    const found = noise.get(group) ?? new Map<CalibratorName, number>();
    const best = proposals.reduce((a, b) => (noiseOf(found, b) < noiseOf(found, a) ? b : a));
    chosen.set(group, { ...best, noise: found });
  }
  return chosen;
}

type Proposed = Omit<ChosenRange, 'noise'>;
interface Proposal {
  readonly group: ValueGroup;
  readonly proposals: readonly Proposed[];
}

const noiseOf = (noise: ReadonlyMap<CalibratorName, number>, { calibrator }: Proposed): number =>
  calibrator === 'fixed' ? 0 : (noise.get(calibrator) ?? Infinity);

/** The distinct ways in which the calibrators would quantize a group. */
function proposalsFor(
  { values, bounds, fixed }: ValueGroup,
  { states, target, calibrators }: Omit<RangeRequest, 'plan'>,
): Proposed[] {
  if (fixed) {
    const range = { min: fixed.low, max: fixed.high };
    return [{ parameters: activationParameters(fixed, target.activations), range, calibrator: 'fixed' }];
  }
  const proposals = new Map<string, Proposed>();
  for (const calibrator of calibrators) {
    const ranges = values.flatMap((value) => {
      const state = states.get(value);
      return state ? [CALIBRATORS[calibrator].range(state, { levels: 256, symmetry: 'asymmetric' })] : [];
    });
    const range = {
      min: ranges.reduce((low, { min }) => Math.min(low, min), 0),
      max: ranges.reduce((high, { max }) => Math.max(high, max), 0),
    };
    const parameters = activationParameters({ low: range.min, high: range.max }, target.activations, bounds);
    const key = `${parameters.scale} ${parameters.zeroPoint}`;
    if (!proposals.has(key)) proposals.set(key, { parameters, range, calibrator });
  }
  return [...proposals.values()];
}

/** One way of quantizing `value`, seen at `reader` (its layer), or at the value itself. */
interface Trial {
  readonly group: ValueGroup;
  readonly calibrator: CalibratorName;
  /** What is right, and what comes out. */
  readonly reference: Value;
  readonly tried: Value;
}

async function judge(
  bench: QuantizationBench,
  open: readonly Proposal[],
): Promise<ReadonlyMap<ValueGroup, ReadonlyMap<CalibratorName, number>>> {
  const { model } = bench.decoded;
  const noise = new Map<ValueGroup, Map<CalibratorName, number>>();
  if (open.length === 0) return noise;
  const mark = model.journal.mark();
  try {
    const trials = open.flatMap((proposal) => addTrials(model.graph, proposal));
    const byValue = new Map(trials.map((trial) => [trial.tried, trial]));
    for (const values of inGroups([...byValue.keys()], benchFacts(bench))) {
      const part = values.flatMap((value) => byValue.get(value) ?? []);
      const specs = part.map(({ reference, tried }): SignalErrorSpec => ({
        kind: 'signal-error',
        values: [reference.name, tried.name],
      }));
      const seen = [...new Set(part.flatMap(({ reference, tried }) => [reference, tried]))];
      const states = await observeValues(bench, seen, specs, Math.min(bench.samples, JUDGING_SAMPLES));
      for (const [at, { group, calibrator }] of part.entries()) {
        const sums = noise.get(group) ?? new Map<CalibratorName, number>();
        sums.set(calibrator, (sums.get(calibrator) ?? 0) + relativeNoise(states[at] as SignalError));
        noise.set(group, sums);
      }
    }
  } finally {
    model.journal.seek(mark);
    model.names.forgetIssued();
  }
  return noise;
}

const WEIGHTED: ReadonlySet<string> = new Set(['Conv', 'Gemm', 'MatMul']);

function addTrials(graph: Graph, { group, proposals }: Proposal): Trial[] {
  const readers = group.values.flatMap((value) =>
    value.consumers().filter((node) => WEIGHTED.has(node.opType) && node.inputs[0] === value && node.graph === graph),
  );
  return proposals.flatMap(({ parameters, calibrator }) => {
    if (calibrator === 'fixed') return [];
    const quantized = new Map<Value, Value>();
    const rounded = (value: Value): Value => {
      const made = quantized.get(value) ?? addRounding(graph, value, parameters);
      quantized.set(value, made);
      return made;
    };
    if (readers.length === 0)
      return group.values.map((value) => ({ group, calibrator, reference: value, tried: rounded(value) }));
    return readers.flatMap((reader) => {
      const [value] = reader.inputs;
      const tried = value && addCopy(graph, reader, rounded(value));
      return tried && reader.output ? [{ group, calibrator, reference: reader.output, tried }] : [];
    });
  });
}

/** `value` rounded and clipped as integers would have it, at the end of the graph. */
function addRounding(graph: Graph, value: Value, { scale, zeroPoint, dtype }: ActivationParameters): Value {
  const scaleInput = graph.addInitializer(Tensor.scalar('float32', scale), 'trial_scale');
  const zeroInput = graph.addInitializer(Tensor.scalar(dtype, zeroPoint), 'trial_zero_point');
  const { output: integers } = graph.addNode({
    opType: 'QuantizeLinear',
    inputs: [value, scaleInput, zeroInput],
    outputs: ['trial_integers'],
  });
  const { output } = graph.addNode({
    opType: 'DequantizeLinear',
    inputs: [integers, scaleInput, zeroInput],
    outputs: ['trial_rounded'],
  });
  return output ?? value;
}

function addCopy(graph: Graph, { opType, inputs, attributes }: Node, data: Value): Value | undefined {
  return graph.addNode({ opType, inputs: [data, ...inputs.slice(1)], outputs: ['trial'], attributes }).output;
}
