// Ranges without samples. Random inputs drive a model to ranges that no picture would, but its BatchNormalization layers
// say what real inputs give: every channel comes out with the mean B and the deviation |scale|. So on random inputs they are
// made to normalize by what they see, as InstanceNormalization does, instead of by what they saw in training. That is a
// guess all the same: nothing says which values go together, and a model without BatchNormalization gives no hint at all.
import { isFloat } from '../../tensor/dtype.js';
import type { Facts } from '../../analysis/facts.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import { bindSizes, randomFeeds, symbolKey, type InputSpec } from '../../runtime/feeds.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { inputSpecs } from '../model-facts.js';

/** Random inputs of a data-free calibration. */
export const DATA_FREE_SAMPLES = 16;
/** Sizes of open dimensions: enough for what pictures and sequences go through, and little memory. */
const OPEN_SIZE = 64;

/** Warns as loudly as it should. `normalizations`: how many layers say what to expect. */
export function dataFreeWarning(normalizations: number): string {
  const rests =
    normalizations === 0
      ? 'random inputs, and nothing in the model says what real ones would give'
      : `random inputs and the statistics of ${normalizations} BatchNormalization node${normalizations === 1 ? '' : 's'}`;
  const advice = 'A model quantized with them may be useless; give --data with some 100 samples of what it is made for';
  return `NO DATA: these ranges rest on ${rests}. ${advice}`;
}

/**
 * Dims of every input: open dimensions have the sizes of `shapes`, else those that are a first axis somewhere 1, others 64.
 * @throws InputError bad-feed when shapes do not fit the inputs
 */
export function dataFreeShapes(
  model: Model,
  shapes: ReadonlyMap<string, readonly number[]>,
): Map<string, readonly number[]> {
  const specs = inputSpecs(model);
  const given = bindSizes(specs, shapes);
  const batch = new Set(specs.map((spec) => symbolKey(spec, 0)));
  const size = (spec: InputSpec, axis: number): number => {
    const symbol = symbolKey(spec, axis);
    return given[symbol] ?? (batch.has(symbol) ? 1 : OPEN_SIZE);
  };
  return new Map(
    specs.map((spec) => [spec.name, spec.dims.map((dim, axis) => (typeof dim === 'number' ? dim : size(spec, axis)))]),
  );
}

/** Feeds of these dims drawn by `seed`: standard normal for real inputs. */
export async function* randomSamples(
  model: Model,
  { seed, dims }: { readonly seed: number; readonly dims: ReadonlyMap<string, readonly number[]> },
): AsyncGenerator<TensorMap> {
  const specs = inputSpecs(model).map((spec) => ({ ...spec, dims: dims.get(spec.name) ?? spec.dims }));
  for (let i = 0; i < DATA_FREE_SAMPLES; i++)
    yield randomFeeds(specs, { seed: `${seed}/${i}`, kind: 'normal', sizes: {} });
}

/**
 * Makes the BatchNormalization nodes of the main graph normalize each sample by its own statistics, where a channel has
 * several elements to take them from. Returns how many; the values keep their names, and the caller takes it back through
 * the journal.
 */
export function normalizeBySample(model: Model, facts: Facts): number {
  const nodes = model.graph.nodes().filter((node) => isSpatial(node, facts));
  for (const node of nodes) {
    const [x, scale, bias] = node.inputs;
    model.graph.addNode(
      {
        opType: 'InstanceNormalization',
        name: node.name,
        inputs: [x, scale, bias],
        outputs: node.outputs.slice(0, 1),
        attributes: { epsilon: node.attributes.get('epsilon') },
      },
      node,
    );
    model.graph.removeNode(node);
  }
  return nodes.length;
}

/** Elements of a channel from which a deviation can be told. */
const FEWEST = 16;

function isSpatial(node: Node, facts: Facts): boolean {
  const [x] = node.inputs;
  if (node.opType !== 'BatchNormalization' || node.domain !== '' || !x) return false;
  if (node.outputs.slice(1).some((output) => output !== undefined)) return false;
  const { dtype } = facts.of(x);
  const dims = facts.assumed(x);
  if (!dims || dims.length < 3 || !dtype || !isFloat(dtype)) return false;
  return dims.slice(2).reduce((product, dim) => product * dim, 1) >= FEWEST;
}
