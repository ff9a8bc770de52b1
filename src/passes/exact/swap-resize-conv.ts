// A point convolution commutes with interpolation, whose weights add up to one: it runs in front of an enlarging Resize.
import type { Facts } from '../../analysis/facts.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { elementCount, Tensor } from '../../tensor/tensor.js';
import { knownNumbers } from '../constants.js';
import { isPointwise, windowGeometry } from '../conv-geometry.js';
import { graphOf, removeNode, replaceNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';
import { isRefusal, refuse, type Planned } from '../plan.js';
import { interpolationOf } from '../resizing.js';
import { fusedActivation, fusedSum } from '../runtime-fusion.js';

type Code = 'shared-output' | 'channels' | 'fused-by-runtime' | 'sizes';

/** What a pass over one element costs, in multiply-accumulates of a convolution (measured on ONNX Runtime, AVX-512). */
const ELEMENT_PASS = 64;

interface SwapPlan {
  readonly resize: Node;
  readonly data: Value;
  /** Inputs of the Resize behind its data; the sizes are those of the new channels. */
  readonly rest: readonly (Value | Tensor | undefined)[];
  /** Elementwise behind the Conv; it moves along. */
  readonly activation: Node | undefined;
}

export const swapResizeConv = defineLocalPass({
  name: 'swap-resize-conv',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Run a 1x1 convolution in front of the Resize that enlarges its input',
  details: `Nearest and linear interpolation give weighted means of their input, with weights that add up to one, so a convolution with a
point kernel commutes with them, bias included: it then runs at the low resolution. It must not give more channels than it
reads, as the Resize would have more to do. Nearest interpolation commutes with every elementwise map, so an activation that ONNX
Runtime runs inside the convolution moves along. Where one stays behind a linear Resize, or a residual addition does, it becomes a pass
of its own over all elements; the swap is made where it saves more than that.`,
  options: {},
  declines: {
    'shared-output': 'The resized data is also read by others, or is an output of the graph.',
    channels: 'The Conv gives {after} channels and reads {before}, so the Resize would have more to do.',
    'fused-by-runtime':
      '{op} runs inside the Conv, and would run by itself behind the Resize; only {saved} multiplications per element would be saved.',
    sizes: 'The sizes given to the Resize are not constant, and hold the number of channels.',
  },
  stats: { swapped: 'point convolutions moved in front of a Resize' },
  roots: ['Conv'],
  rewrite(node, ctx) {
    const plan = planSwap(node, ctx.facts);
    if (!plan) return false;
    if (isRefusal(plan)) return ctx.decline(node, plan.refused, plan.details);
    swap(node, plan);
    ctx.count('swapped');
    return true;
  },
});

function planSwap(node: Node, facts: Facts): Planned<SwapPlan, Code> {
  const middle = node.inputs[0];
  const resize = middle?.producer;
  const data = resize?.inputs[0];
  if (!middle || !data || !resize || resize.graph !== node.graph || !interpolationOf(resize, facts)) return undefined;
  const geometry = windowGeometry(node, facts);
  const [small, large, result] = [data, middle, node.output].map((value) => value && facts.assumed(value));
  if (!geometry || !isPointwise(geometry) || !small || !large || !result || elementCount(large) <= elementCount(small))
    return undefined;
  const [before = 1, after = 1] = [large[1], result[1]];
  if (after > before) return refuse('channels', { before, after });
  if (middle.soleConsumer !== node) return refuse('shared-output');
  const activation = fusedActivation(node);
  const moves = activation && resize.string('mode', 'nearest') === 'nearest' ? activation : undefined;
  const left = moves ? undefined : (activation ?? fusedSum(node));
  const saved = (before / node.int('group', 1)) * (1 - elementCount(small) / elementCount(large));
  if (left && saved <= ELEMENT_PASS) return refuse('fused-by-runtime', { op: left.opType, saved });
  const rest = renewedSizes(resize, after, facts);
  return rest ? { resize, data, rest, activation: moves } : refuse('sizes');
}

function swap(node: Node, { resize, data, rest, activation }: SwapPlan): void {
  const graph = graphOf(node);
  const last = activation ?? node;
  const name = last.output?.name ?? 'conv';
  const inputs = rest.map((value) => (value instanceof Tensor ? graph.addInitializer(value, `${name}_sizes`) : value));
  let source = data;
  for (const moved of activation ? [node, activation] : [node]) {
    const copy = graph.addNode(
      {
        opType: moved.opType,
        name: moved.name,
        inputs: [source, ...moved.inputs.slice(1)],
        attributes: moved.attributes,
        outputs: [`${moved.output?.name ?? 'conv'}_small`],
      },
      last,
    );
    source = copy.output ?? source;
  }
  replaceNode(last, {
    opType: resize.opType,
    name: resize.name,
    inputs: [source, ...inputs],
    attributes: resize.attributes,
  });
  if (activation) removeNode(node);
  removeNode(resize);
}

function renewedSizes(resize: Node, channels: number, facts: Facts): (Value | Tensor | undefined)[] | undefined {
  const sizes = resize.inputs[3];
  const rest = resize.inputs.slice(1);
  if (sizes === undefined) return rest;
  const numbers = knownNumbers(facts, sizes);
  return numbers && [...rest.slice(0, 2), Tensor.int64s(numbers.with(1, channels))];
}
