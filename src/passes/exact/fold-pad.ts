// Folds Pad into the padding of the Conv, AveragePool or MaxPool behind it.
import type { Facts } from '../../analysis/facts.js';
import { intAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { setGeometry, windowGeometry, type WindowGeometry } from '../conv-geometry.js';
import { graphOf, removeNode } from '../edit.js';
import { paddingOf, type Padding } from '../padding.js';
import { defineLocalPass } from '../pass.js';
import { isRefusal, refuse, type Planned, type Refusal } from '../plan.js';
import { rangeOf } from '../value-range.js';

type Code = 'mode' | 'value' | 'pads-channels' | 'crops' | 'auto-pad' | 'counted' | 'window';

interface Folding {
  readonly consumer: Node;
  readonly geometry: WindowGeometry;
  /** AveragePool must count the zeros it takes over. */
  readonly counts: boolean;
}

const TARGETS: Readonly<
  Record<string, (node: Node, padding: Padding, geometry: WindowGeometry, facts: Facts) => Refusal<Code> | undefined>
> = { Conv: refusesConv, AveragePool: refusesAverage, MaxPool: refusesMaximum };

export const foldPad = defineLocalPass({
  name: 'fold-pad',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fold Pad into the padding of the convolution or pool behind it',
  details: `A Pad that adds zeros along spatial axes only is added to \`pads\` of a Conv. An AveragePool takes it over when it then counts
the padding it has (\`count_include_pad = 1\`), and its own padding is none or counted already. A MaxPool takes over a padding by
minus infinity, or by 0 when its input cannot be negative, as long as every window keeps a real element; with \`ceil_mode\` the
last window may begin in the padding, so such pools are left. Pads of a pool must be smaller than its kernel. Padding by
reflection or by the edge, and negative pads, which crop, stay as they are.`,
  options: {},
  declines: {
    mode: 'It pads by {mode}, not by a constant.',
    value: 'It pads by {value}, which the {op} would not.',
    'pads-channels': 'It also pads the batch or the channels.',
    crops: 'A negative padding crops.',
    'auto-pad': 'The padding of the {op} depends on a size that is not known.',
    counted: 'The {op} has padding of its own that it does not count in its means.',
    window: 'A window of the {op} could lie in the padding only, or begin in it (ceil_mode).',
  },
  stats: { folded: 'Pad folded into the padding of the next operator' },
  roots: ['Pad'],
  rewrite(node, ctx) {
    const plan = planFold(node, ctx.facts);
    if (!plan) return false;
    if (isRefusal(plan)) return ctx.decline(node, plan.refused, plan.details);
    for (const { consumer, geometry, counts } of plan.foldings) {
      graphOf(consumer).setInput(consumer, 0, plan.data);
      setGeometry(consumer, geometry);
      if (counts) graphOf(consumer).setAttribute(consumer, 'count_include_pad', intAttr(1));
    }
    removeNode(node);
    ctx.count('folded');
    return true;
  },
});

function planFold(
  node: Node,
  facts: Facts,
): Planned<{ readonly data: Value; readonly foldings: readonly Folding[] }, Code> {
  const { output } = node;
  const consumers = output?.consumers() ?? [];
  const fitting = (consumer: Node): boolean =>
    consumer.domain === '' &&
    TARGETS[consumer.opType] !== undefined &&
    consumer.inputs[0] === output &&
    output?.slots.get(consumer) === 1 &&
    consumer.graph === node.graph;
  if (output === undefined || output.isGraphOutput || consumers.length === 0 || !consumers.every(fitting))
    return undefined;
  const padding = paddingOf(node, facts);
  if (padding === undefined) return undefined;
  if (padding.mode !== 'constant') return refuse('mode', { mode: padding.mode });
  if ([...padding.begins, ...padding.ends].some((pad) => pad < 0)) return refuse('crops');
  if ([...padding.begins.slice(0, 2), ...padding.ends.slice(0, 2)].some((pad) => pad !== 0))
    return refuse('pads-channels');
  const foldings: Folding[] = [];
  for (const consumer of consumers) {
    const folding = foldingInto(consumer, padding, facts);
    if (isRefusal(folding)) return folding;
    foldings.push(folding);
  }
  return { data: padding.data, foldings };
}

function foldingInto(consumer: Node, padding: Padding, facts: Facts): Folding | Refusal<Code> {
  const own = windowGeometry(consumer, facts);
  const op = consumer.opType;
  if (own === undefined) return refuse('auto-pad', { op });
  const geometry = {
    ...own,
    begins: own.begins.map((pad, i) => pad + (padding.begins[i + 2] ?? 0)),
    ends: own.ends.map((pad, i) => pad + (padding.ends[i + 2] ?? 0)),
  };
  const refusal =
    TARGETS[op]?.(consumer, padding, geometry, facts) ??
    (op === 'AveragePool' && !isCounting(consumer, own) ? refuse('counted', { op }) : undefined);
  return refusal ?? { consumer, geometry, counts: op === 'AveragePool' && consumer.int('count_include_pad', 0) === 0 };
}

function refusesConv(_: Node, { value }: Padding): Refusal<Code> | undefined {
  return value === 0 ? undefined : refuse('value', { value: value ?? 'a value that is not known', op: 'Conv' });
}

function isCounting(node: Node, own: WindowGeometry): boolean {
  return node.int('count_include_pad', 0) === 1 || [...own.begins, ...own.ends].every((pad) => pad === 0);
}

function refusesAverage(node: Node, { value }: Padding, geometry: WindowGeometry): Refusal<Code> | undefined {
  if (value !== 0) return refuse('value', { value: value ?? 'a value that is not known', op: 'AveragePool' });
  return windowsStayInside(node, geometry) ? undefined : refuse('window', { op: 'AveragePool' });
}

function refusesMaximum(
  node: Node,
  { value, data }: Padding,
  geometry: WindowGeometry,
  facts: Facts,
): Refusal<Code> | undefined {
  const indices = node.outputs[1];
  const neutral = value === -Infinity || (value === 0 && rangeOf(data, facts).low >= 0);
  if (!neutral) return refuse('value', { value: value ?? 'a value that is not known', op: 'MaxPool' });
  const inside = windowsStayInside(node, geometry) && (indices === undefined || indices.isUnused);
  return inside ? undefined : refuse('window', { op: 'MaxPool' });
}

/** Every window covers a real element, wherever it starts: dense kernels longer than the padding on either side. */
function windowsStayInside(node: Node, { kernel, dilations, begins, ends }: WindowGeometry): boolean {
  const dense = dilations.every((d) => d === 1);
  const longer = kernel.every((k, i) => (begins[i] ?? 0) < k && (ends[i] ?? 0) < k);
  return dense && longer && node.int('ceil_mode', 0) === 0 && (node.graph?.model.opset ?? 0) >= 7;
}
