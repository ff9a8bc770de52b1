// What a run says of every node that could be thought of for integers, and of every quantized value.
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import type { PlannedNode } from '../../passes/quantize/plan.js';
import { proveFusion, type FusionProof } from '../fusion-proof.js';
import type { Candidate } from './candidate.js';
import type { FloatReason, QuantizedNode, QuantizedValue } from './outcome.js';
import { valueSignalToNoise, type PairedValue } from './value-noise.js';
import type { FloatFinding, QuantizationRun } from './quantization-run.js';
import { saturatingShare } from './saturation.js';

/** Samples that the signal to noise of nodes is taken on. */
const NOISE_SAMPLES = 8;

/** The proof that the planned nodes of `candidate` run on integers. */
export function proveCandidate({ bench, preparation }: QuantizationRun, candidate: Candidate): Promise<FusionProof> {
  const planned = candidate.applied.plan.nodes.map(({ node, operator }) => ({
    node: node.name,
    opType: node.opType,
    output: node.output?.name ?? '',
    kind: operator.role,
  }));
  // Kernels that take int8 activations are checked where the runtime would make uint8 of them.
  const isKept = preparation.settings.target.activations === 'int8';
  return proveFusion(bench.host, candidate.path, planned, {
    signal: bench.signal,
    ...(isKept ? { int8Activations: 'kept' as const } : {}),
  });
}

/**
 * A row per node; the model stands in the form of `candidate`. `found`: why the search left nodes in float.
 */
export async function nodeRows(
  run: QuantizationRun,
  candidate: Candidate,
  { proof, found }: RowFacts,
): Promise<QuantizedNode[]> {
  const { plan } = candidate.applied;
  const noise = await nodeNoise(run, plan.nodes);
  const rows = new Map<Node, QuantizedNode>();
  // Some became other operators.
  const opTypes = new Map(run.preparation.plan.nodes.map(({ node: { label, opType } }) => [label, opType]));
  plan.nodes.forEach(({ node }, at) => {
    const saturating = saturatingShare(node);
    rows.set(node, {
      node: node.label,
      opType: opTypes.get(node.label) ?? node.opType,
      form: 'int8',
      reason: undefined,
      fused: proof.nodes[at]?.fused,
      signalToNoise: noise.get(node),
      ...(saturating === undefined ? {} : { saturating }),
    });
  });
  for (const [node, code] of plan.floats) {
    const { reason, measured } =
      code === 'asked'
        ? findingOf(run, node.label, { found, otherwise: 'loss' })
        : { reason: code, measured: undefined };
    // What was not planned at first was not calibrated either.
    const first = reason === 'no-range' ? run.preparation.plan.floats.get(node) : undefined;
    rows.set(node, {
      node: node.label,
      opType: node.opType,
      form: 'float',
      reason: first ?? reason,
      measured,
      fused: undefined,
      signalToNoise: undefined,
    });
  }
  return run.bench.decoded.model.graph.nodes().flatMap((node) => rows.get(node) ?? []);
}

/** Why the node of this label, which could run on integers, does not. */
export function findingOf(
  { asked, ruled }: QuantizationRun,
  label: string,
  { found, otherwise }: { readonly found: RowFacts['found']; readonly otherwise: FloatReason },
): FloatFinding {
  if (asked.has(label)) return { reason: 'asked', measured: undefined };
  return ruled.get(label) ?? found.get(label) ?? { reason: otherwise, measured: undefined };
}

export interface RowFacts {
  readonly proof: FusionProof;
  readonly found: ReadonlyMap<string, FloatFinding>;
}

/** Signal to noise of the result of each planned node, dB; the model stands in the form of the plan. */
export async function nodeNoise(
  run: QuantizationRun,
  planned: readonly PlannedNode[],
): Promise<ReadonlyMap<Node, number>> {
  const seen = new Map<Value, Node>();
  const pairs = planned.flatMap(({ node, outputs }): PairedValue[] => {
    const [last] = outputs;
    const reference = run.names.get(node.label);
    const value = last && asFloats(last);
    if (!value || reference === undefined) return [];
    seen.set(value, node);
    return [{ reference, seen: value }];
  });
  const samples = Math.min(run.bench.samples, NOISE_SAMPLES);
  const noise = await valueSignalToNoise(run.bench, run.files.values, { pairs, samples });
  return new Map(
    [...noise].flatMap(([value, db]) => {
      const node = seen.get(value);
      return node ? [[node, db] as const] : [];
    }),
  );
}

/** The value, or where it holds integers what they stand for. */
function asFloats(value: Value): Value | undefined {
  const back = value.consumers().find((reader) => reader.is('DequantizeLinear'));
  return back?.inputs[0] === value ? back.output : value;
}

/** A row per quantized value. */
export function valueRows({ preparation }: QuantizationRun, { applied }: Candidate): QuantizedValue[] {
  return applied.plan.groups.flatMap(({ values }) =>
    values.flatMap((value) => {
      const chosen = preparation.ranges.get(value);
      const state = preparation.states.get(value);
      if (!chosen) return [];
      const { range, calibrator, parameters } = chosen;
      const observed = state ? { min: state.min, max: state.max } : range;
      const { scale, zeroPoint } = parameters;
      return [{ value: value.name, range, observed, scale, zeroPoint, calibrator }];
    }),
  );
}
