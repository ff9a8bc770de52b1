// Local response normalization in operators that the runtime has fast kernels for: y = x (k + alpha / n * sum of x^2)^-beta.
import type { Facts } from '../../analysis/facts.js';
import { intsAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import { graphOf, replaceNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';
import { isRefusal, refuse, type Planned } from '../plan.js';

type Code = 'shape' | 'type' | 'even' | 'wide';

/** A product over all channels costs as many multiplications per number; the power that it saves costs about 20 ns per number. */
const MOST_CHANNELS = 512;

interface LrnPlan {
  readonly x: Value;
  readonly channels: number;
}

export const expandLrn = defineLocalPass({
  name: 'expand-lrn',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Write local response normalization (LRN) out in operators that run many times faster',
  details: `\`y[c] = x[c] / (bias + alpha / size * sum of x[j]^2 over size channels around c)^beta\` (Krizhevsky 2012; the ONNX operator
LRN). ONNX Runtime computes the power number by number, which takes half of the time of networks that have it. Here the sums come
from a 1x1 convolution of the squares with a band of \`alpha / size\` and the bias, and powers of a quarter, a half and one from
square roots: \`s^0.75 = sqrt(s) sqrt(sqrt(s))\`. Other powers keep \`Pow\`. The sums are more exact than the kernel's, which adds
what comes and subtracts what goes: where inputs are very large, the outputs of the two differ visibly.

The model gets more nodes, and other tools no longer see a normalization: the pass is not part of the preset \`exact\`, and belongs
behind all that looks at layers. \`deepen\` runs it at its end by itself, where that is faster, and \`factorize\` where its recipe
has it; \`prune\` and \`quantize\` refuse it in their recipes. On alexnet-lrn-cifar10 the
whole model runs 2.9 times as fast, on googlenet-lrn-cifar10 1.7 times (docs/benchmarks.md).`,
  // The kernel of LRN keeps a running sum of squares, which loses digits where large and small ones are neighbours: up to 3e-5 of its
  // scale, where this here loses 2e-7 (both against float64), and layers behind it make more of it.
  tolerance: 2e-3,
  place: 'last',
  options: {},
  declines: {
    shape: 'The input is not known to be a map of four axes with a fixed number of channels.',
    type: 'The input is {type}, which ONNX Runtime has no LRN for.',
    even: 'ONNX Runtime runs no window of {size} channels: it must be odd.',
    wide: 'The sums over {channels} channels would cost more than the power does (at most {most}).',
  },
  stats: { expanded: 'LRN written out' },
  roots: ['LRN'],
  rewrite(node, ctx) {
    const plan = planExpansion(node, ctx.facts);
    if (!plan) return false;
    if (isRefusal(plan)) return ctx.decline(node, plan.refused, plan.details);
    expand(node, plan);
    ctx.count('expanded');
    return true;
  },
});

function planExpansion(node: Node, facts: Facts): Planned<LrnPlan, Code> {
  const [x] = node.inputs;
  if (node.domain !== '' || !x) return undefined;
  const { dtype, shape } = facts.of(x);
  const channels = shape?.[1];
  if (shape?.length !== 4 || typeof channels !== 'number' || dtype === undefined) return refuse('shape');
  if (dtype !== 'float32') return refuse('type', { type: dtype });
  const size = node.int('size', 1);
  if (size % 2 === 0) return refuse('even', { size });
  if (channels > MOST_CHANNELS) return refuse('wide', { channels, most: MOST_CHANNELS });
  return { x, channels };
}

function expand(node: Node, { x, channels }: LrnPlan): void {
  const name = node.output?.name ?? '';
  const made = (opType: string, inputs: readonly Value[], hint: string, attributes = {}): Value => {
    const spec = { opType, attributes, name: node.name === '' ? '' : `${node.name}_${hint}` };
    const { output } = graphOf(node).addNode({ ...spec, inputs: [...inputs], outputs: [`${name}_${hint}`] }, node);
    if (!output) throw new TypeError(`${opType} has no output`);
    return output;
  };
  const stored = (dims: readonly number[], numbers: Float64Array, hint: string): Value =>
    graphOf(node).addInitializer(Tensor.fromNumbers('float32', dims, numbers), `${name}_${hint}`);
  const band = stored([channels, channels, 1, 1], bandOf(node, channels), 'band');
  const bias = stored([channels], new Float64Array(channels).fill(node.float('bias', 1)), 'bias');
  const squares = made('Mul', [x, x], 'squares');
  const sums = made('Conv', [squares, band, bias], 'sums', { kernel_shape: intsAttr([1, 1]) });
  const beta = node.float('beta', 0.75);
  const root = (value: Value, hint: string): Value => made('Sqrt', [value], hint);
  const half = (): Value => root(sums, 'root');
  const powers: Readonly<Record<number, () => Value>> = {
    0.25: () => root(half(), 'fourth'),
    0.5: half,
    0.75: () => {
      const below = half();
      return made('Mul', [below, root(below, 'fourth')], 'power');
    },
    1: () => sums,
  };
  const power = powers[beta] ?? (() => made('Pow', [sums, stored([], Float64Array.of(beta), 'beta')], 'power'));
  replaceNode(node, { opType: 'Div', inputs: [x, power()] });
}

/** alpha / size where channel j is in the window of channel c: [c, j]. */
function bandOf(node: Node, channels: number): Float64Array {
  const size = node.int('size', 1);
  const weight = node.float('alpha', 1e-4) / size;
  const band = new Float64Array(channels * channels);
  const reach = (size - 1) / 2;
  for (let c = 0; c < channels; c++)
    for (let j = Math.max(0, c - reach); j <= Math.min(channels - 1, c + reach); j++) band[c * channels + j] = weight;
  return band;
}
