// Whether a model is quantized already: with which operators, how many of each, and where the first one stands. A second
// quantization would round rounded weights again, so `quantize` refuses such a model and says what to do instead.
import type { Model } from '../ir/model.js';
import { nodesUnder } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import { constantTensor } from '../ops/generate.js';

/**
 * `qdq`: pairs of QuantizeLinear and DequantizeLinear around float operators. `integer`: operators that compute on
 * integers with fixed scales. `dynamic`: scales found while the model runs. `weights`: weights are stored as integers and
 * everything is computed in float.
 */
export type QuantizedForm = 'qdq' | 'integer' | 'dynamic' | 'weights';

export interface QuantizedOperators {
  readonly opType: string;
  readonly domain: string;
  readonly count: number;
  /** The first one in the order of the graphs. */
  readonly first: Node;
}

export interface Quantization {
  readonly form: QuantizedForm;
  /** Every operator of quantized models that was found, the most frequent first. */
  readonly operators: readonly QuantizedOperators[];
  /** Nodes of these operators. */
  readonly nodes: number;
  readonly first: Node;
  /** What the model is, in one clause: `the model is already quantized: 20 QuantizeLinear, ...`. */
  readonly what: string;
  /** What to do instead. */
  readonly fix: string;
}

const INTEGER: ReadonlySet<string> = new Set(['QLinearConv', 'QLinearMatMul', 'QGemm', 'QAttention', 'QOrderedMatMul']);

const DYNAMIC: ReadonlySet<string> = new Set([
  'DynamicQuantizeLinear',
  'ConvInteger',
  'MatMulInteger',
  'MatMulIntegerToFloat',
  'DynamicQuantizeMatMul',
  'DynamicQuantizeLSTM',
]);

const WEIGHTS: ReadonlySet<string> = new Set(['MatMulNBits', 'MatMulBnb4', 'GatherBlockQuantized', 'QMoE']);

const FIXES: Readonly<Record<QuantizedForm, string>> = {
  qdq: 'quantize the float model it was made from; `slim` without quantization takes it as it is',
  integer: 'quantize the float model it was made from; `slim` without quantization takes it as it is',
  dynamic: 'quantize the float model it was made from, by static quantization with --data where it has convolutions',
  weights: 'quantize the float model it was made from: integer weights alone save size, not time',
};

/** How `model` is quantized, subgraphs and local functions included; undefined when it is not. */
export function quantizationOf(model: Model): Quantization | undefined {
  const found = new Map<string, { opType: string; domain: string; count: number; first: Node }>();
  const forms = new Set<QuantizedForm>();
  for (const root of [model.graph, ...model.functions.map(({ graph }) => graph)]) {
    for (const node of nodesUnder(root)) {
      const form = formOf(node);
      if (form === undefined) continue;
      forms.add(form);
      const key = `${node.domain}:${node.opType}`;
      const entry = found.get(key);
      if (entry) entry.count++;
      else found.set(key, { opType: node.opType, domain: node.domain, count: 1, first: node });
    }
  }
  const operators = [...found.values()];
  const [earliest] = operators;
  if (!earliest) return undefined;
  operators.sort((a, b) => b.count - a.count);
  const form = (['integer', 'qdq', 'dynamic', 'weights'] as const).find((one) => forms.has(one)) ?? 'qdq';
  const counts = operators.map(({ opType, count }) => `${count} ${opType}`).join(', ');
  return {
    form,
    operators,
    nodes: operators.reduce((sum, { count }) => sum + count, 0),
    first: earliest.first,
    what: `the model is already quantized: ${counts}`,
    fix: FIXES[form],
  };
}

function formOf(node: Node): QuantizedForm | undefined {
  const { opType } = node;
  if (opType === 'QuantizeLinear') return 'qdq';
  if (opType === 'DequantizeLinear') return isConstantSource(node) ? 'weights' : 'qdq';
  if (INTEGER.has(opType) || opType.startsWith('QLinear')) return 'integer';
  if (DYNAMIC.has(opType)) return 'dynamic';
  return WEIGHTS.has(opType) ? 'weights' : undefined;
}

/** The integers that it reads are part of the model. */
function isConstantSource(node: Node): boolean {
  const [source] = node.inputs;
  if (source?.initializer !== undefined) return true;
  return source?.producer !== undefined && constantTensor(source.producer) !== undefined;
}
