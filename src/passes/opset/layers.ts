// Version steps of convolution, matrix products, pooling, normalization, recurrent and attention layers, dropout, losses,
// and quantization.
import { intAttr, stringAttr } from '../../ir/attribute.js';
import { isStatic } from '../../ir/dim.js';
import type { Value } from '../../ir/value.js';
import { DTYPES } from '../../tensor/dtype.js';
import { Tensor } from '../../tensor/tensor.js';
import { graphOf, removeNode, replaceNode } from '../edit.js';
import {
  attributeToInput,
  changes,
  computeFlattened,
  constantInput,
  elementType,
  givenAttribute,
  outputOf,
  refusal,
  replaceInput,
  type ChangeTable,
  type StepSite,
} from './step.js';

/** BatchNormalization 9 normalizes per channel only. With `spatial = 0` (per element) the channels are the elements of a matrix. */
function normalizePerChannel(site: StepSite): void {
  const { node } = site;
  const graph = graphOf(node);
  const spatial = givenAttribute(site, 'spatial');
  if (spatial === undefined) return;
  graph.setAttribute(node, 'spatial', undefined);
  if (spatial.kind !== 'int' || spatial.value !== 0) return;
  if (node.outputs.length > 1) throw refusal(site, 'it normalizes per element and has more than one output');
  computeFlattened(site, undefined, (matrix) => {
    const parameters = node.inputs.slice(1).map((value) => value && asVector(site, value));
    const outputs = [`${node.output?.name ?? node.opType}_normalized`];
    const { opType, name, attributes } = node;
    return outputOf(graph.addNode({ opType, name, inputs: [matrix, ...parameters], outputs, attributes }, node));
  });
  removeNode(node);
}

function asVector(site: StepSite, value: Value): Value {
  if (value.constant) return constantInput(site, value.constant.reshaped([value.constant.size]), value.name);
  const shape = constantInput(site, Tensor.int64s([-1]), 'shape');
  return outputOf(
    graphOf(site.node).addNode(
      { opType: 'Reshape', inputs: [value, shape], outputs: [`${value.name}_vector`] },
      site.node,
    ),
  );
}

/** BatchNormalization 14 enters training mode by an attribute. Before, having the outputs of that mode was enough, read or not. */
function refuseTraining(site: StepSite): void {
  if (site.node.outputs.length > 1)
    throw refusal(site, 'it has the outputs of the training mode, and so uses the statistics of the batch');
}

/** The mask of Dropout: not defined outside of training until opset 10 (ONNX Runtime: all false), all true since 12. */
function dropMask(site: StepSite): void {
  const { node } = site;
  if (node.outputs.length < 2) return;
  if (node.outputs[1] && !node.outputs[1].isUnused)
    throw refusal(site, 'its mask is used, which means something else there');
  graphOf(node).setNodeOutputs(node, node.outputs.slice(0, 1));
}

/** Dropout 12: the ratio becomes an input. Without the input `training_mode` it copies, as before. */
function ratioToInput(site: StepSite): void {
  dropMask(site);
  if (givenAttribute(site, 'ratio') === undefined) return;
  attributeToInput(site, 'ratio', 1, (ratio) =>
    ratio.kind === 'float' ? Tensor.scalar('float32', ratio.value) : undefined,
  );
}

/** GroupNormalization 21 scales per channel instead of per group, and computes in float32 unless `stash_type` says otherwise. */
function scalePerChannel(site: StepSite): void {
  const { node, facts } = site;
  const [input, scale, bias] = node.inputs;
  const channels = input && facts.of(input).shape?.[1];
  const groups = givenAttribute(site, 'num_groups');
  if (!isStatic(channels) || groups?.kind !== 'int' || channels % groups.value !== 0)
    throw refusal(site, 'the number of channels is not known');
  const graph = graphOf(node);
  for (const [index, parameter] of [
    [1, scale],
    [2, bias],
  ] as const) {
    const tensor = parameter?.constant;
    const isPerGroup = tensor?.dims.length === 1 && tensor.size === groups.value;
    if (!parameter || !isPerGroup) throw refusal(site, 'its scale and bias are not constants, one number per group');
    const repeats = channels / groups.value;
    const compute = (): number[] => tensor.toNumbers().flatMap((number) => Array<number>(repeats).fill(number));
    replaceInput(
      site,
      index,
      constantInput(site, Tensor.derived(tensor.dtype, [channels], [tensor], compute), parameter.name),
    );
  }
  const dtype = elementType(site, 0);
  if (dtype !== 'float32') graph.setAttribute(node, 'stash_type', intAttr(DTYPES[dtype].code));
}

/** RoiAlign 16 shifts coordinates by half a pixel unless told not to. */
function keepPixelOrigin({ node }: StepSite): void {
  graphOf(node).setAttribute(node, 'coordinate_transformation_mode', stringAttr('output_half_pixel'));
}

const SAMPLING_MODES: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic', nearest: 'nearest' };

/** GridSample 20 names its modes for any number of dimensions. */
function renameMode(site: StepSite): void {
  const mode = givenAttribute(site, 'mode');
  if (mode === undefined) return;
  const name = mode.kind === 'string' ? SAMPLING_MODES[mode.value] : undefined;
  if (name === undefined) throw refusal(site, 'its mode is not one of bilinear, bicubic, nearest');
  graphOf(site.node).setAttribute(site.node, 'mode', stringAttr(name));
}

/** DFT 20: the axis becomes an input; its default was 1 and is -2. */
function axisToInput(site: StepSite): void {
  const { node } = site;
  if (node.attribute('axis') === undefined)
    graphOf(node).setInput(node, 2, constantInput(site, Tensor.scalar('int64', 1), 'axis'));
  else
    attributeToInput(site, 'axis', 2, (axis) => (axis.kind === 'int' ? Tensor.scalar('int64', axis.value) : undefined));
}

/** Scatter was renamed in opset 11, when ScatterElements also got axes and indices counted from the end. */
function renameScatter({ node }: StepSite): void {
  replaceNode(node, { opType: 'ScatterElements', inputs: node.inputs, attributes: node.attributes });
}

const TRAINING_ONLY = changes([13, 22]);

export const LAYERS: ChangeTable = {
  Attention: changes([24, 25]),
  AveragePool: changes([10, 11, 19, 22]),
  BatchNormalization: changes([15], { 9: normalizePerChannel, 14: refuseTraining }),
  Conv: changes([11, 22]),
  ConvTranspose: changes([11, 22]),
  DFT: changes([], { 20: axisToInput }),
  DeformConv: changes([22]),
  DequantizeLinear: changes([13, 19, 21, 23, 24, 25]),
  Det: changes([22]),
  Dropout: changes([13, 22], { 10: dropMask, 12: ratioToInput }),
  GRU: changes([14, 22]),
  Gemm: changes([9, 11, 13]),
  GlobalAveragePool: changes([22]),
  GlobalLpPool: changes([22]),
  GlobalMaxPool: changes([22]),
  GridSample: changes([22], { 20: renameMode }),
  GroupNormalization: changes([], { 21: scalePerChannel }),
  InstanceNormalization: changes([22]),
  LRN: changes([13]),
  LSTM: changes([14, 22]),
  LpNormalization: changes([22]),
  LpPool: changes([11, 18, 22]),
  MatMul: changes([9, 13]),
  MaxPool: changes([8, 10, 11, 12, 22]),
  MaxRoiPool: changes([22]),
  MaxUnpool: changes([11, 22]),
  MeanVarianceNormalization: changes([13]),
  NegativeLogLikelihoodLoss: TRAINING_ONLY,
  NonMaxSuppression: changes([11]),
  QLinearMatMul: changes([21]),
  QuantizeLinear: changes([13, 19, 21, 23, 24, 25]),
  RNN: changes([14, 22]),
  RoiAlign: changes([22], { 16: keepPixelOrigin }),
  Scatter: changes([], { 11: renameScatter }),
  SoftmaxCrossEntropyLoss: changes([13]),
};
