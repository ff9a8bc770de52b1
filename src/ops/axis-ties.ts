// Builders of axis facts: ties of equal axes, of broadcast operands, of windows of channels.
import type { AxisFacts, AxisRef, AxisTie } from './axes.js';
import type { CostSite, OpSite } from './record.js';
import { shapeOf } from './inputs.js';

/** Axis `axis` of input `slot`. */
export function inputAxis(slot: number, axis: number): AxisRef {
  return { side: 'input', slot, axis };
}

/** Axis `axis` of output `slot`. */
export function outputAxis(slot: number, axis: number): AxisRef {
  return { side: 'output', slot, axis };
}

/** Input axis `axis` of slot `slot` is output axis `to` of the first output. */
export function carried(slot: number, axis: number, to: number, map?: AxisTie['map']): AxisTie {
  return tie('carry', inputAxis(slot, axis), outputAxis(0, to), map);
}

/** A tie; `map` as in `AxisTie`. */
export function tie(kind: AxisTie['kind'], from: AxisRef, to: AxisRef, map?: AxisTie['map']): AxisTie {
  return map === undefined ? { kind, from, to } : { kind, from, to, map };
}

/** The numbers from 0 to `count` - 1. */
export function axisNumbers(count: number): number[] {
  return Array.from({ length: count }, (_, axis) => axis);
}

/** Every axis of the first input is the same axis of the output, but those that `mixed` names. */
export function sameAxes(site: OpSite, mixed: readonly number[] = []): readonly AxisTie[] | undefined {
  const rank = shapeOf(site, 0)?.length;
  return rank === undefined
    ? undefined
    : axisNumbers(rank)
        .filter((axis) => !mixed.includes(axis))
        .map((axis) => carried(0, axis, axis));
}

/** Facts of a function of single elements of the first input. */
export function unaryAxes(site: CostSite): AxisFacts | undefined {
  const ties = sameAxes(site);
  return ties && { ties };
}

/** The first `count` axes are those of the output; the others are mixed. */
export function leadingAxes(count: number): (site: CostSite) => AxisFacts | undefined {
  return (site) => {
    const rank = shapeOf(site, 0)?.length;
    const alone = site.node.outputs.slice(1).every((output) => output === undefined);
    return rank === undefined || !alone
      ? undefined
      : { ties: axisNumbers(Math.min(count, rank)).map((axis) => carried(0, axis, axis)) };
  };
}

/** Ties of an operand that is broadcast to the output, its last axis at `last` (default: the last axis of the output). */
export function broadcastTies(
  site: CostSite,
  slot: number,
  { last, kind = 'carry' }: { readonly last?: number; readonly kind?: AxisTie['kind'] } = {},
): readonly AxisTie[] {
  const shape = shapeOf(site, slot) ?? [];
  const skip = (last ?? (site.output(0)?.shape?.length ?? 0) - 1) - shape.length + 1;
  return axisNumbers(shape.length).flatMap((axis) =>
    shape[axis] === 1 || axis + skip < 0 ? [] : [tie(kind, inputAxis(slot, axis), outputAxis(0, axis + skip))],
  );
}

/** Facts of a function of single elements of all inputs, broadcast. */
export function broadcastAxes(site: CostSite): AxisFacts {
  const legacy = site.opset < 7 && site.node.domain === '';
  return {
    ties: site.node.inputs.flatMap((value, slot) => {
      if (value === undefined) return [];
      const start = legacy && slot === 1 ? legacyStart(site) : undefined;
      const rank = shapeOf(site, slot)?.length ?? 0;
      return broadcastTies(site, slot, start === undefined ? {} : { last: start + rank - 1 });
    }),
  };
}

/** Before opset 7 the second operand began at `axis`; the slopes of a PRelu lay along axis 1. */
function legacyStart({ node }: CostSite): number | undefined {
  return node.is('PRelu') ? 1 : node.attribute('axis') ? node.int('axis', 0) : undefined;
}
