// Which layers can become a chain of smaller ones: a Conv, Gemm or MatMul with weights of its own in the model.
import type { Facts } from '../../analysis/facts.js';
import type { StoredLayer } from '../../fit/held-out-refit.js';
import type { LinearLayer } from '../../fit/patch-geometry.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { linearLayer } from '../linear-layer.js';
import { layerOutput, readLayer } from '../linear-weights.js';
import { refuse, type Planned } from '../plan.js';

/** Why a layer stays whole, whatever a chain would cost; src/report/factorize-words.ts says it in words. */
export type FactorDecline =
  | 'grouped'
  | 'transposed'
  | 'computed-weights'
  | 'shared-weights'
  | 'unsupported-type'
  | 'unsupported-layer'
  | 'unsupported-bias'
  | 'inner-graph';

/** A layer that a chain can stand for. */
export interface FactorSite {
  readonly node: Node;
  readonly layer: LinearLayer;
  readonly input: Value;
  /** Behind the bias, where an Add carries it. */
  readonly output: Value;
  /** As they work, alpha and beta included. */
  readonly stored: StoredLayer;
}

const LAYER_TYPES: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** The layer at `node`, why it must stay whole, or undefined where there is no layer with weights. */
export function factorSite(node: Node, facts: Facts): Planned<FactorSite, FactorDecline> {
  const [input, weights] = node.inputs;
  const output = layerOutput(node);
  if (!LAYER_TYPES.has(node.opType) || node.domain !== '' || !input || !weights || !output) return undefined;
  // A product of two activations is no layer.
  if (node.opType === 'MatMul' && !weights.constant && weights.initializer === undefined) return undefined;
  const refused = weightRefusal(node, weights);
  if (refused) return refused;
  const layer = linearLayer(node, facts);
  if (!layer || input.constant) return refuse('unsupported-layer');
  const stored = readLayer(node, layer.outputs);
  return stored ? { node, layer, input, output, stored } : refuse('unsupported-bias');
}

function weightRefusal(node: Node, weights: Value): Planned<never, FactorDecline> {
  if (node.opType === 'ConvTranspose') return refuse('transposed');
  if (node.int('group', 1) > 1) return refuse('grouped');
  if (node.graph !== node.graph?.model.graph) return refuse('inner-graph');
  if (!weights.constant || weights.isInput) return refuse('computed-weights');
  if (weights.soleConsumer !== node || weights.isGraphOutput) return refuse('shared-weights');
  return weights.constant.dtype === 'float32' ? undefined : refuse('unsupported-type');
}
