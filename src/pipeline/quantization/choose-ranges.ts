// The range of every quantized value: of those that the calibrators propose, the one with which the layers that read the
// value are off by least. Each layer is run on the value as quantized in each way, beside the model itself; values that no
// layer with weights reads are judged by their own error.
import { tensorBytes } from '../../analysis/cost.js';
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

/** Samples that the choice rests on: fewer where they are large, which have as many positions. */
const JUDGING_SAMPLES = { most: 24, fewest: 3 } as const;
/** Bytes of trials that are looked at: some thirty seconds. */
const JUDGING_BYTES = 12e9;

/**
 * A range for every group of values of the plan that was seen on the samples. The model is as it was afterwards.
 * @throws what running the model throws
 */
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
    const samples = judgingSamples(bench, [...byValue.keys()]);
    for (const values of inGroups([...byValue.keys()], benchFacts(bench))) {
      const part = values.flatMap((value) => byValue.get(value) ?? []);
      const specs = part.map(({ reference, tried }): SignalErrorSpec => ({
        kind: 'signal-error',
        values: [reference.name, tried.name],
      }));
      const seen = [...new Set(part.flatMap(({ reference, tried }) => [reference, tried]))];
      const states = await observeValues(bench, seen, specs, samples);
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

function judgingSamples(bench: QuantizationBench, tried: readonly Value[]): number {
  const { scope } = benchFacts(bench);
  const bytes = tried.reduce((sum, value) => sum + (tensorBytes('float32', scope.dims(value)) ?? 0), 1);
  const { most, fewest } = JUDGING_SAMPLES;
  return Math.min(bench.samples, Math.max(fewest, Math.min(most, Math.floor(JUDGING_BYTES / bytes))));
}

/** Layers that end a trial, with the activation behind them. */
const WEIGHTED: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);
/** What a trial passes through on the way to the next layer. */
const PASSED: ReadonlySet<string> = new Set([
  ...['Add', 'Mul', 'Concat', 'Relu', 'Clip', 'LeakyRelu', 'HardSigmoid', 'HardSwish'],
  ...['MaxPool', 'AveragePool', 'GlobalAveragePool'],
  ...['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Transpose', 'Slice', 'Pad', 'Resize', 'Identity'],
]);
/** Nodes between the value and the layers it is judged by. */
const REACH = 4;

function addTrials(graph: Graph, { group, proposals }: Proposal): Trial[] {
  return proposals.flatMap(({ parameters, calibrator }) => {
    if (calibrator === 'fixed') return [];
    const changed = new Map(group.values.map((value) => [value, addRounding(graph, value, parameters)]));
    const ends = new Map<Value, Value>();
    for (const [value, rounded] of changed) follow(graph, { value, changed: rounded, left: REACH }, ends);
    return [...ends].map(([reference, tried]) => ({ group, calibrator, reference, tried }));
  });
}

/** A value, what it became in a trial, and how many nodes the trial may still pass. */
interface Changed {
  readonly value: Value;
  readonly changed: Value;
  readonly left: number;
}

/**
 * Copies what reads `value` so that it reads `changed`, up to the next layers with weights and their activations, where
 * what is above 6 or below 0 counts no more: an error there is no error. Notes the ends: what it was, what it became.
 */
function follow(graph: Graph, { value, changed, left }: Changed, ends: Map<Value, Value>): void {
  const readers = value.consumers().filter((node) => node.graph === graph && !isTrial(node));
  const next = readers.filter((node) => WEIGHTED.has(node.opType) || (left > 0 && PASSED.has(node.opType)));
  if (next.length === 0 || value.isGraphOutput) ends.set(value, changed);
  for (const node of next) {
    const copied = addCopy(graph, node, value, changed);
    if (!copied || !node.output) continue;
    if (!WEIGHTED.has(node.opType)) follow(graph, { value: node.output, changed: copied, left: left - 1 }, ends);
    else {
      const activation = node.output.soleConsumer;
      const isActivation = activation?.is('Relu') || activation?.is('Clip');
      const behind = isActivation && activation ? addCopy(graph, activation, node.output, copied) : undefined;
      if (behind && activation?.output) ends.set(activation.output, behind);
      else ends.set(node.output, copied);
    }
  }
}

const isTrial = (node: Node): boolean => node.output?.name.startsWith(TRIAL) === true;

/** Names of what trials add. */
const TRIAL = 'mcompress_trial';

/** `value` rounded and clipped as integers would have it, at the end of the graph. */
function addRounding(graph: Graph, value: Value, { scale, zeroPoint, dtype }: ActivationParameters): Value {
  const scaleInput = graph.addInitializer(Tensor.scalar('float32', scale), 'trial_scale');
  const zeroInput = graph.addInitializer(Tensor.scalar(dtype, zeroPoint), 'trial_zero_point');
  const { output: integers } = graph.addNode({
    opType: 'QuantizeLinear',
    inputs: [value, scaleInput, zeroInput],
    outputs: [`${TRIAL}_integers`],
  });
  const { output } = graph.addNode({
    opType: 'DequantizeLinear',
    inputs: [integers, scaleInput, zeroInput],
    outputs: [`${TRIAL}_rounded`],
  });
  return output ?? value;
}

function addCopy(graph: Graph, node: Node, from: Value, to: Value): Value | undefined {
  const { opType, inputs, attributes } = node;
  const changed = inputs.map((value) => (value === from ? to : value));
  return graph.addNode({ opType, inputs: changed, outputs: [TRIAL], attributes }).output;
}
