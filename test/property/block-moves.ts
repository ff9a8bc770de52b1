// Larger random pieces: normalizations written out, loops, local functions.
import { graphAttr, type Attribute } from '../../src/ir/attribute.js';
import { Graph } from '../../src/ir/graph.js';
import type { Value } from '../../src/ir/value.js';
import { Tensor } from '../../src/tensor/tensor.js';
import type { GraphBuilder, Tracked } from './graph-builder.js';
import { conv } from './layer-moves.js';

/** The mean of `x` over `axes`, dims kept. */
function mean(b: GraphBuilder, x: Tracked | Value, axes: readonly number[]): Value {
  return b.opset < 18
    ? b.hidden('ReduceMean', [x], { axes, keepdims: 1 })
    : b.hidden('ReduceMean', [x, b.ints(axes)], { keepdims: 1 });
}

/** (x - mean) / sqrt(variance + eps) over the last axis or the spatial ones, as exporters write it, with an affine map behind it. */
export function normalizationPieces(b: GraphBuilder): void {
  const x = b.image();
  if (!x) return;
  const spatialAxes = x.shape.slice(2).map((_, i) => i + 2);
  const axes = b.chance(0.5) ? [b.chance(0.5) ? -1 : x.shape.length - 1] : spatialAxes;
  const centered = b.hidden('Sub', [x, mean(b, x, axes)]);
  const again = b.chance(0.3) ? b.hidden('Sub', [x, mean(b, x, axes)]) : centered;
  const square = b.chance(0.5) ? b.hidden('Pow', [again, b.constant([], [2])]) : b.hidden('Mul', [again, again]);
  const variance = b.hidden('Add', [mean(b, square, axes), b.constant([], [b.rng.pick([1e-3, 1e-2])])]);
  const normal = b.node('Div', [centered, b.hidden('Sqrt', [variance])], x.shape);
  const [, channels = 1, ...rest] = x.shape;
  const dims = axes.length === 1 && b.chance(0.7) ? [x.shape.at(-1) ?? 1] : [channels, ...rest.map(() => 1)];
  if (b.chance(0.7))
    b.node(
      'Add',
      [
        b.node('Mul', [normal, b.constant(dims, b.uniforms(dims, 0.5, 1.5))], x.shape),
        b.constant(dims, b.normals(dims, 0.3)),
      ],
      x.shape,
    );
}

/** A loop of two or three turns whose body reads values around it. */
export function loop(b: GraphBuilder): void {
  const x = b.image();
  if (!x || b.graph !== b.model.graph || b.opset < 11) return;
  const outer = b.graph;
  const outerPool = b.pool;
  const body = new Graph(b.model, 'body');
  body.addInput(b.model.uniqueName('turn'), { kind: 'tensor', dtype: 'int64', shape: [] });
  const go = body.addInput(b.model.uniqueName('go'), { kind: 'tensor', dtype: 'bool', shape: [] });
  const carried = {
    value: body.addInput(b.model.uniqueName('carried'), { kind: 'tensor', dtype: 'float32', shape: undefined }),
    shape: x.shape,
  };
  b.graph = body;
  b.pool = [...outerPool, carried];
  const step = b.chance(0.5)
    ? (conv(b, carried, { sameSize: b.rng.pick([1, 3]), channels: x.shape[1] ?? 1 }) ?? carried)
    : b.node('Tanh', [carried], x.shape);
  const sum = b.node('Add', [step, x], x.shape);
  body.setOutputs([b.hidden('Identity', [go]), sum.value]);
  b.graph = outer;
  b.pool = outerPool;
  const turns = b.constant([], [b.rng.int(2, 3)], 'int64');
  const condition = b.chance(0.5) ? undefined : b.constant([], [1], 'bool');
  const start = b.chance(0.5) ? x : (b.pick(({ shape }) => shape.join() === x.shape.join()) ?? x);
  b.node('Loop', [turns, condition, start], x.shape, { body: graphAttr(body) });
}

/** A call of a model-local function: a leaky unit times a constant, with an attribute given or left at its default. */
export function localCall(b: GraphBuilder): void {
  const x = b.pick(({ shape }) => shape.length >= 2);
  if (!x || b.opset < 15) return;
  const known = b.model.functions.find((f) => f.name === 'Leaky');
  if (!known) declareLeaky(b);
  const attributes: Record<string, Attribute> = b.chance(0.5) ? { alpha: { kind: 'float', value: 0.25 } } : {};
  const node = b.graph.addNode({ opType: 'Leaky', domain: 'local', inputs: [x.value], outputs: ['leaky'], attributes });
  if (node.output) b.pool.push({ value: node.output, shape: x.shape });
}

function declareLeaky(b: GraphBuilder): void {
  const graph = new Graph(b.model, 'Leaky');
  const input = graph.addInput('leaky_in', undefined);
  const unit = graph.addNode({
    opType: 'LeakyRelu',
    inputs: [input],
    outputs: ['unit'],
    attributes: { alpha: { kind: 'reference', name: 'alpha', type: 1 } },
  });
  const two = graph.addNode({
    opType: 'Constant',
    inputs: [],
    outputs: ['factor'],
    attributes: { value: { kind: 'tensor', value: Tensor.scalar('float32', 0.5) } },
  });
  const product = graph.addNode({ opType: 'Mul', inputs: [unit.output, two.output], outputs: ['scaled'] });
  graph.setOutputs(product.output ? [product.output] : []);
  b.model.setFunctions([
    ...b.model.functions,
    {
      domain: 'local',
      name: 'Leaky',
      overload: '',
      graph,
      attributeNames: [],
      opsets: new Map([['', b.opset]]),
      attributeDefaults: new Map([['alpha', { kind: 'float', value: 0.1 }]]),
    },
  ]);
  b.model.setOpsets(new Map([...b.model.opsets, ['local', 1]]));
}
