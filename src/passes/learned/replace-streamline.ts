// One convolution in the place of a chain. Geometry (DeepRebirth 2018, section 3.1, corrected): a window of k positions every s, pooled
// over p of them every t, sees k + (p - 1) s positions every s t, from pad + s * pad of the pool in front of the first one on. A kernel
// that stays as large as it was looks at the middle of that.
import type { Facts } from '../../analysis/facts.js';
import { outputSizes, type WindowLayer } from '../../fit/patch-geometry.js';
import { isStatic } from '../../ir/dim.js';
import { intAttr, intsAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import { extents, type WindowGeometry } from '../conv-geometry.js';
import { graphOf, removeDead, replaceNode } from '../edit.js';
import { refuse, type Planned } from '../plan.js';
import type { StreamlineLink, StreamlineSite } from './streamline-site.js';

/**
 * `normless`: normalizations go, pools stay. `strided`: pools go into the stride, the kernel stays as large as it is. `enlarged`: pools go
 * into the stride, and the kernel sees all that they saw.
 */
export type StreamlineForm = 'normless' | 'strided' | 'enlarged';

/**
 * `no-normalization`, `no-pool`: nothing of that kind to take in. `behind-a-pool`: a normalization reads what was pooled, where a
 * convolution in front of the pool cannot make up for it. `unknown-size`: the size of the map is not known. `cropped`: the middle of what
 * is seen begins inside of the map. `size`: no padding gives a map of the same size.
 */
export type StreamlineRefusal = 'no-normalization' | 'no-pool' | 'behind-a-pool' | 'unknown-size' | 'cropped' | 'size';

export interface StreamlinePlan {
  readonly site: StreamlineSite;
  /** What goes with the convolution: the first links; those behind them stay. */
  readonly taken: readonly StreamlineLink[];
  /** The new convolution. */
  readonly layer: WindowLayer;
}

/** What would stand there. */
export function planStreamline(
  site: StreamlineSite,
  form: StreamlineForm,
  facts: Facts,
): Planned<StreamlinePlan, StreamlineRefusal> {
  const { links } = site;
  if (form === 'normless') return planNormless(site);
  const pools = links.flatMap((link) => (link.kind === 'pool' ? [link.window] : []));
  if (pools.length === 0) return refuse('no-pool');
  const wanted = facts.of(links.at(-1)?.output ?? site.input).shape?.slice(2);
  const sizes = facts.of(site.input).shape?.slice(2);
  if (!wanted?.every(isStatic) || !sizes?.every(isStatic)) return refuse('unknown-size');
  const seen = pools.reduce(pooled, seenBy(site.layer));
  return withSizes(site, form === 'enlarged' ? seen : middleOf(seen, site.layer), { sizes, wanted });
}

/** All that is taken must lie in front of the pools. */
function planNormless(site: StreamlineSite): Planned<StreamlinePlan, StreamlineRefusal> {
  const { links, layer } = site;
  const last = links.findLastIndex(({ kind }) => kind === 'normalization');
  if (last < 0) return refuse('no-normalization');
  const behind = links[last + 1]?.kind === 'activation' ? last + 2 : last + 1;
  const taken = links.slice(0, behind);
  return taken.some(({ kind }) => kind === 'pool') ? refuse('behind-a-pool') : { site, taken, layer };
}

/** A window without holes, its distance from the next, and where the first one begins. */
interface Seen extends Omit<WindowGeometry, 'ends'> {}

const seenBy = (layer: WindowLayer): Seen => ({
  ...layer,
  kernel: extents(layer),
  dilations: layer.kernel.map(() => 1),
});

function pooled({ kernel, strides, dilations, begins }: Seen, pool: WindowGeometry): Seen {
  const [reach, at] = [extents(pool), (numbers: readonly number[], axis: number): number => numbers[axis] ?? 1];
  return {
    kernel: kernel.map((k, axis) => k + (at(reach, axis) - 1) * at(strides, axis)),
    strides: strides.map((s, axis) => s * at(pool.strides, axis)),
    dilations,
    begins: begins.map((pad, axis) => pad + at(strides, axis) * (pool.begins[axis] ?? 0)),
  };
}

function middleOf(seen: Seen, { kernel, dilations }: WindowLayer): Seen {
  const reach = extents({ kernel, dilations });
  const begins = seen.begins.map((pad, axis) => pad - Math.floor(((seen.kernel[axis] ?? 0) - (reach[axis] ?? 0)) / 2));
  return { kernel, dilations, strides: seen.strides, begins };
}

interface MapSizes {
  readonly sizes: readonly number[];
  readonly wanted: readonly number[];
}

function withSizes(
  site: StreamlineSite,
  seen: Seen,
  { sizes, wanted }: MapSizes,
): Planned<StreamlinePlan, StreamlineRefusal> {
  if (seen.begins.some((pad) => pad < 0)) return refuse('cropped');
  const reach = extents(seen);
  const ends = wanted.map((count, axis) => {
    const needed = (count - 1) * (seen.strides[axis] ?? 1) + (reach[axis] ?? 1);
    return Math.max(0, needed - (sizes[axis] ?? 0) - (seen.begins[axis] ?? 0));
  });
  const layer: WindowLayer = { ...site.layer, ...seen, ends };
  const isSame = outputSizes(layer, sizes).every((size, axis) => size === wanted[axis]);
  return isSame ? { site, taken: site.links, layer } : refuse('size');
}

/** Weights of the old kernel in the middle of the new one: what a fit begins with. */
export function startingWeights({ site, layer }: StreamlinePlan): Float64Array {
  const old = site.layer;
  const [before, after] = [sizeOf(old.kernel), sizeOf(layer.kernel)];
  const places = Array.from({ length: before }, (_, tap) => placeIn(tap, old, layer));
  const count = site.stored.weights.length / before;
  const weights = new Float64Array(count * after);
  for (let filter = 0; filter < count; filter++)
    for (const [tap, place] of places.entries())
      weights[filter * after + place] = site.stored.weights[filter * before + tap] ?? 0;
  return weights;
}

const sizeOf = (kernel: readonly number[]): number => kernel.reduce((all, k) => all * k, 1);

/** The flat position of a tap of the old kernel in the new one. */
function placeIn(tap: number, old: WindowLayer, now: WindowLayer): number {
  let [place, pitch, rest] = [0, 1, tap];
  for (let axis = old.kernel.length - 1; axis >= 0; axis--) {
    const [size, wide] = [old.kernel[axis] ?? 1, now.kernel[axis] ?? 1];
    const step = (old.dilations[axis] ?? 1) / (now.dilations[axis] ?? 1);
    const margin = Math.floor((wide - 1 - (size - 1) * step) / 2);
    place += (margin + (rest % size) * step) * pitch;
    pitch *= wide;
    rest = Math.floor(rest / size);
  }
  return place;
}

/**
 * Puts the convolution there, with the last activation that was taken behind it; the output keeps its name. `weights`: as ONNX stores
 * those of the new layer.
 */
export function replaceStreamline({ site, taken, layer }: StreamlinePlan, weights: ArrayLike<number>): Node {
  const { conv, stored, input } = site;
  const graph = graphOf(conv);
  const last = taken.at(-1);
  if (!last) throw new TypeError(`nothing of the chain at ${conv.label} is taken`);
  const at = taken.findLastIndex(({ kind }) => kind === 'activation');
  const activation = taken[at]?.node;
  const source = taken[at - 1]?.output ?? conv.output;
  const store = (numbers: ArrayLike<number>, dims: readonly number[], name: string): Value =>
    graph.addInitializer(Tensor.fromNumbers('float32', dims, Float64Array.from(numbers)), name);
  const name = conv.inputs[1]?.name ?? 'weights';
  const inputs = [
    input,
    store(weights, [layer.outputs, layer.inputs / layer.groups, ...layer.kernel], name),
    store(stored.bias, [layer.outputs], conv.inputs[2]?.name ?? `${name}_bias`),
  ];
  const spec = { opType: 'Conv', name: conv.name, attributes: attributesOf(layer), inputs };
  const gone = last.node.inputs;
  if (!activation) {
    const made = replaceNode(last.node, spec);
    removeDead(gone);
    return made;
  }
  const made = graph.addNode({ ...spec, outputs: [`${last.output.name}_conv`] }, last.node);
  const { opType, attributes, name: clip } = activation;
  const read = activation.inputs.map((value) => (value === source ? made.output : value));
  replaceNode(last.node, { opType, attributes, name: clip, inputs: read });
  removeDead(gone);
  return made;
}

function attributesOf(layer: WindowLayer) {
  const { kernel, strides, dilations, begins, ends, groups } = layer;
  return {
    kernel_shape: intsAttr(kernel),
    strides: intsAttr(strides),
    dilations: dilations.every((d) => d === 1) ? undefined : intsAttr(dilations),
    pads: intsAttr([...begins, ...ends]),
    group: groups === 1 ? undefined : intAttr(groups),
  };
}
