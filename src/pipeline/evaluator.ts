// Constant folding on ONNX Runtime: nodes whose inputs are all known become a small model without inputs, run once,
// with graph optimizations off, so that what is folded is what the operator computes.
import { AppError, InterruptError } from '../base/errors.js';
import { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { encodeModel } from '../onnx/encode.js';
import type { Evaluator } from '../passes/pass.js';
import type { RuntimeHost } from '../runtime/host.js';
import type { Tensor } from '../tensor/tensor.js';

/** Input bytes that one small model may hold: bounds the memory of a batch. */
const BATCH_BYTES = 64 * 2 ** 20;
const BATCH_NODES = 500;

/** An evaluator over the runtime. Nodes that fail in a batch are tried apart; those that fail alone stay unknown. */
export function createEvaluator(host: RuntimeHost, signal: AbortSignal): Evaluator {
  const run = async (nodes: readonly Node[], results: Map<Value, Tensor>): Promise<void> => {
    try {
      for (const [value, tensor] of await evaluateBatch(host, signal, nodes, results)) results.set(value, tensor);
    } catch (error) {
      if (!(error instanceof AppError) || error instanceof InterruptError) throw error;
      if (nodes.length === 1) return;
      const half = Math.ceil(nodes.length / 2);
      await run(nodes.slice(0, half), results);
      await run(nodes.slice(half), results);
    }
  };
  return {
    async evaluate(nodes) {
      const results = new Map<Value, Tensor>();
      for (const batch of batches(nodes.filter((node) => node.subgraphs().length === 0))) await run(batch, results);
      return results;
    },
  };
}

function* batches(nodes: readonly Node[]): Generator<readonly Node[]> {
  let batch: Node[] = [];
  let bytes = 0;
  for (const node of nodes) {
    const size = node.inputs.reduce((sum, value) => sum + (value?.constant?.byteLength ?? 0), 0);
    if (batch.length > 0 && (bytes + size > BATCH_BYTES || batch.length >= BATCH_NODES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(node);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

/**
 * Runs the nodes as one model. A node may read what an earlier one computes, or what is in `known`; a node that reads
 * anything else that is not constant is left out.
 */
async function evaluateBatch(
  host: RuntimeHost,
  signal: AbortSignal,
  nodes: readonly Node[],
  known: ReadonlyMap<Value, Tensor>,
): Promise<Map<Value, Tensor>> {
  const first = nodes[0];
  if (first?.graph === undefined) return new Map();
  const source = first.graph.model;
  const model = new Model({ graphName: 'constants', opsets: source.opsets, irVersion: Math.max(source.irVersion, 4) });
  const copies = new Map<Value, Value>();
  const wanted: Value[] = [];
  for (const node of nodes) {
    for (const value of node.inputs) {
      const tensor = value && (value.constant ?? known.get(value));
      if (tensor && !copies.has(value)) copies.set(value, model.graph.addInitializer(tensor, `c${copies.size}`));
    }
    if (node.inputs.some((value) => value && !copies.has(value))) continue;
    const copy = model.graph.addNode({
      opType: node.opType,
      domain: node.domain,
      overload: node.overload,
      attributes: node.attributes,
      inputs: node.inputs.map((value) => value && copies.get(value)),
      outputs: node.outputs.map((value, i) => value && `n${copies.size}_${i}`),
    });
    node.outputs.forEach((value, i) => {
      const output = copy.outputs[i];
      if (!value || !output) return;
      copies.set(value, output);
      wanted.push(value);
    });
  }
  if (wanted.length === 0) return new Map();
  model.graph.setOutputs(wanted.flatMap((value) => copies.get(value) ?? []));
  const names = model.graph.outputs.map((value) => value.name);
  const outputs = await host.evaluate(Buffer.concat(encodeModel(undefined, model)), names, { signal });
  const results = new Map<Value, Tensor>();
  wanted.forEach((value, i) => {
    const tensor = outputs.get(names[i] ?? '');
    if (tensor) results.set(value, tensor);
  });
  return results;
}
