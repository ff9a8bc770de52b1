// The geometry of sliding windows with every default filled in: kernel, strides, dilations, pads per spatial axis, with
// auto_pad resolved. Pads of auto_pad (ONNX, Conv): total = max(0, (ceil(H/s) - 1) s + ke - H), ke = (k-1)d + 1; the odd
// pixel goes to the end for SAME_UPPER and to the begin for SAME_LOWER.
import type { Facts } from '../analysis/facts.js';
import { isStatic, staticDims, type Dim } from '../ir/dim.js';
import { intsAttr } from '../ir/attribute.js';
import type { Node } from '../ir/node.js';
import { graphOf } from './edit.js';

/** One entry per spatial axis everywhere. */
export interface WindowGeometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begins: readonly number[];
  readonly ends: readonly number[];
}

/**
 * The geometry of a Conv, AveragePool or MaxPool. Undefined when auto_pad depends on a size that is not known, or an
 * attribute does not fit.
 */
export function windowGeometry(node: Node, facts: Facts): WindowGeometry | undefined {
  const weights = node.inputs[1];
  const stored = staticDims(weights && facts.of(weights).shape?.slice(2));
  const kernel = node.ints('kernel_shape') ?? stored;
  if (kernel === undefined || kernel.length === 0 || !isKernel(kernel, stored ?? kernel)) return undefined;
  const ones = kernel.map(() => 1);
  const strides = node.ints('strides') ?? ones;
  const dilations = node.ints('dilations') ?? ones;
  if (strides.length !== kernel.length || dilations.length !== kernel.length) return undefined;
  const pads = padsOf(node, facts, { kernel, strides, dilations });
  return pads && { kernel, strides, dilations, begins: pads.slice(0, kernel.length), ends: pads.slice(kernel.length) };
}

/** Rewrites walk over the positions of kernels: more than this many are no kernel, whatever the attribute says. */
const MAX_KERNEL = 2 ** 24;

function isKernel(kernel: readonly number[], stored: readonly number[]): boolean {
  const positions = kernel.reduce((product, k) => product * k, 1);
  const isBounded = positions <= MAX_KERNEL && kernel.every((k) => k > 0);
  return isBounded && kernel.length === stored.length && kernel.every((k, i) => k === stored[i]);
}

/** (k - 1) d + 1 per axis: how far a window reaches. */
export function extents({ kernel, dilations }: Pick<WindowGeometry, 'kernel' | 'dilations'>): number[] {
  return kernel.map((k, i) => (k - 1) * (dilations[i] ?? 1) + 1);
}

/** No axis is padded (negative padding, which crops, counts as padding). */
export function isUnpadded({ begins, ends }: WindowGeometry): boolean {
  return [...begins, ...ends].every((pad) => pad === 0);
}

/** Kernel, strides and dilations 1, no padding: the layer looks at one position and gives one. */
export function isPointwise(geometry: WindowGeometry): boolean {
  return isUnpadded(geometry) && isPointKernel(geometry) && geometry.strides.every((s) => s === 1);
}

/** The kernel is 1 along every spatial axis. */
export function isPointKernel({ kernel }: WindowGeometry): boolean {
  return kernel.every((k) => k === 1);
}

/** Writes explicit geometry to a node, in place of auto_pad. */
export function setGeometry(node: Node, { kernel, strides, dilations, begins, ends }: WindowGeometry): void {
  const graph = graphOf(node);
  const write = (name: string, numbers: readonly number[], fallback: number): void => {
    const now = node.ints(name);
    const idle = now === undefined && numbers.every((n) => n === fallback);
    if (!idle && !(now?.length === numbers.length && now.every((n, i) => n === numbers[i])))
      graph.setAttribute(node, name, intsAttr(numbers));
  };
  if (node.attribute('auto_pad') !== undefined) graph.setAttribute(node, 'auto_pad', undefined);
  write('kernel_shape', kernel, Number.NaN);
  write('strides', strides, 1);
  write('dilations', dilations, 1);
  write('pads', [...begins, ...ends], 0);
}

function padsOf(
  node: Node,
  facts: Facts,
  window: Pick<WindowGeometry, 'kernel' | 'strides' | 'dilations'>,
): readonly number[] | undefined {
  const axes = window.kernel.length;
  const mode = node.string('auto_pad', 'NOTSET');
  if (mode === 'VALID') return Array<number>(2 * axes).fill(0);
  if (mode === 'NOTSET' || mode === '') {
    const pads = node.ints('pads') ?? Array<number>(2 * axes).fill(0);
    return pads.length === 2 * axes ? pads : undefined;
  }
  const data = node.inputs[0];
  const shape = data && facts.of(data).shape;
  const totals = extents(window).map((reach, i) => samePadding(shape?.[i + 2], window.strides[i] ?? 1, reach));
  if (!totals.every((total) => total !== undefined)) return undefined;
  const small = totals.map((total) => Math.floor(total / 2));
  const large = totals.map((total, i) => total - (small[i] ?? 0));
  return mode === 'SAME_LOWER' ? [...large, ...small] : [...small, ...large];
}

/** With stride 1 the padding does not depend on the size. */
function samePadding(size: Dim | undefined, stride: number, reach: number): number | undefined {
  if (stride === 1) return reach - 1;
  return isStatic(size) ? Math.max(0, (Math.ceil(size / stride) - 1) * stride + reach - size) : undefined;
}
