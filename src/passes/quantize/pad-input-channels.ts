// Pads the input of a first convolution, and its weights, with channels of zeros: 8-bit convolutions count channels in fours.
import { int, num } from '../../base/option.js';
import type { Facts } from '../../analysis/facts.js';
import { intsAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import { padTensor } from '../../tensor/view.js';
import { graphOf, setConstantInput } from '../edit.js';
import { variableInputs } from '../elementwise-run.js';
import { paddingOf } from '../padding.js';
import { defineLocalPass } from '../pass.js';
import { isShared, TENSOR_LAYER_OPS } from '../tensor-layer.js';

/** Fewer output channels, or others than fours, take the slow kernel whatever the input is. */
const MIN_OUTPUTS = 16;
const OUTPUT_STEP = 4;

/** Nodes that are looked through on the way up to a graph input. */
const MAX_STEPS = 16;

export const padInputChannels = defineLocalPass({
  name: 'pad-input-channels',
  category: 'quantize',
  exactness: 'rounding',
  needs: [],
  summary: 'Pad the input of a first convolution to a multiple of 4 channels',
  details: `A convolution that reads a graph input with 3 channels gets a \`Pad\` in front that adds a channel of zeros, and weights of zero
for it. The sum is the same one. It pays in 8 bit only: the fast kernel of ONNX Runtime (requantization fused, no im2col) takes
input channels in fours and wants 16 or more output channels in fours; in float the padding costs up to 18 %.

Measured on ONNX Runtime 1.30, 1 thread, AVX512-VNNI, with QuantizeLinear and the Pad counted in: 3 channels 224x224 to 32 (3x3,
stride 2) 0.78 of the time without padding; 112x112 0.70; 32x32 to 16 0.75; 1 channel 0.85 to 0.89, 2 channels 0.75, 5 to 7
channels 0.65 to 0.72. Where the zeros are added makes no difference beyond noise: Pad on float in front of QuantizeLinear 0.70
to 0.78, Pad on uint8 behind it 0.69 to 0.78, Concat with zeros 0.70 to 0.79; between DequantizeLinear and QuantizeLinear it is 3
to 7 points worse. Float in front is taken, as it needs no scale to be known. The convolution must be quantized afterwards.`,
  options: {
    multiple: int({ default: 4, min: 2, max: 64, help: 'Pad to a multiple of this many channels' }),
    'max-growth': num({ default: 3, min: 0, help: 'Largest part by which the work of the convolution may grow' }),
  },
  declines: {
    growth: '{channels} channels would become {padded}: too much work is added.',
    outputs: 'The fast 8-bit kernel takes 16 or more output channels in fours; it has {outputs}.',
    inner: 'Its input is no graph input: a Pad between 8-bit layers runs in float (see pad-inner-channels).',
    'weights-not-constant': 'Its weights are not constant.',
    'shared-weights': 'Its weights are also read by others.',
  },
  stats: { padded: 'convolutions whose input was padded to fours of channels' },
  roots: ['Conv'],
  rewrite(node, ctx) {
    const [data, weight] = node.inputs;
    const channels = weight && ctx.facts.staticShape(weight)?.[1];
    if (!node.is('Conv') || !data || !weight || !channels || node.int('group', 1) !== 1) return false;
    const { multiple } = ctx.options;
    const padded = Math.ceil(channels / multiple) * multiple;
    if (padded === channels || ctx.facts.of(data).dtype !== 'float32') return false;
    const tensor = weight.constant;
    if (tensor === undefined) return ctx.decline(node, 'weights-not-constant');
    const outputs = tensor.dims[0] ?? 0;
    if (outputs < MIN_OUTPUTS || outputs % OUTPUT_STEP !== 0) return ctx.decline(node, 'outputs', { outputs });
    if (padded / channels - 1 > ctx.options['max-growth']) return ctx.decline(node, 'growth', { channels, padded });
    if (!comesFromInput(data)) return ctx.decline(node, 'inner');
    if (isShared(weight)) return ctx.decline(node, 'shared-weights');
    const missing = padded - channels;
    const none = tensor.dims.map(() => 0);
    setConstantInput(node, 1, padTensor(tensor, { before: none, after: none.with(1, missing) }));
    graphOf(node).setInput(node, 0, paddedData(data, node, missing, ctx.facts));
    ctx.count('padded');
    return true;
  },
});

/** Only nodes that hold no layer stand between the value and an input of its graph. */
function comesFromInput(value: Value): boolean {
  let current: Value | undefined = value;
  for (let steps = 0; current !== undefined && steps < MAX_STEPS; steps++) {
    if (current.isInput) return true;
    const node: Node | undefined = current.producer;
    if (!node || TENSOR_LAYER_OPS.includes(node.opType)) return false;
    const [only, ...others]: Value[] = variableInputs(node);
    if (others.length > 0) return false;
    current = only;
  }
  return false;
}

/** `data` with `missing` more channels of zeros: from the Pad that another convolution reads, or a new one. */
function paddedData(data: Value, reader: Node, missing: number, facts: Facts): Value {
  const graph = graphOf(reader);
  const rank = reader.inputs[1]?.constant?.dims.length ?? 0;
  const pads = Array<number>(2 * rank)
    .fill(0)
    .with(rank + 1, missing);
  const isSame = (node: Node): boolean => {
    const padding = node.graph === graph && node.isBefore(reader) ? paddingOf(node, facts) : undefined;
    if (padding?.mode !== 'constant' || padding.value !== 0) return false;
    return [...padding.begins, ...padding.ends].every((pad, i) => pad === pads[i]);
  };
  const there = data.consumers().find(isSame)?.output;
  if (there) return there;
  const outputs = [`${data.name}_padded`];
  const node =
    graph.model.opset < 11
      ? graph.addNode({ opType: 'Pad', inputs: [data], outputs, attributes: { pads: intsAttr(pads) } }, reader)
      : graph.addNode(
          { opType: 'Pad', inputs: [data, graph.addInitializer(Tensor.int64s(pads), `${data.name}_pads`)], outputs },
          reader,
        );
  return node.output ?? data;
}
