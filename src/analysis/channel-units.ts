// Sets of tied indices sorted into groups: those that pass the same axes and are frozen by the same.
import type { AxisGraph } from './channel-axes.js';
import type { TiedIndices } from './channel-indices.js';

/** Units along one axis. */
export interface UnitAxis {
  /** Number of the axis. */
  readonly axis: number;
  /** Indices along it, by unit. */
  readonly indices: readonly (readonly number[])[];
}

export interface UnitGroup {
  /** In the order of the axes. */
  readonly axes: readonly UnitAxis[];
  /** Place in the list of freezes, or -1. */
  readonly frozen: number;
}

/** The groups, in the order of their first index. */
export function unitGroups({ axes }: AxisGraph, tied: TiedIndices): readonly UnitGroup[] {
  const passed = passedAxes(axes.length, tied);
  const groups: { readonly axes: UnitAxis[]; readonly frozen: number; width: number }[] = [];
  const byKey = new Map<string, number>();
  const groupOf = new Int32Array(tied.count).fill(-1);
  const unitOf = new Int32Array(tied.count);
  for (let index = 0; index < tied.count; index++) {
    if (tied.unions.find(index) !== index) continue;
    const frozen = tied.frozen[index] ?? -1;
    const key = `${passed[index]} ${frozen}`;
    const at = byKey.get(key) ?? groups.push({ axes: [], frozen, width: 0 }) - 1;
    byKey.set(key, at);
    groupOf[index] = at;
    const group = groups[at];
    if (group !== undefined) unitOf[index] = group.width++;
  }
  for (const [axis, start] of tied.starts.entries()) {
    if (start < 0) continue;
    const here = new Map<number, number[][]>();
    for (let index = 0; index < (axes[axis]?.size ?? 0); index++) {
      const root = tied.unions.find(start + index);
      const at = groupOf[root] ?? -1;
      const lists = here.get(at) ?? Array.from({ length: groups[at]?.width ?? 0 }, (): number[] => []);
      here.set(at, lists);
      lists[unitOf[root] ?? 0]?.push(index);
    }
    for (const [at, indices] of here) {
      const group = groups[at];
      const like = group?.axes.at(-1)?.indices;
      group?.axes.push({ axis, indices: like && isSame(like, indices) ? like : indices });
    }
  }
  return groups;
}

function isSame(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): boolean {
  return a.every((list, unit) => list.length === b[unit]?.length && list.every((index, i) => index === b[unit]?.[i]));
}

/** By the number that stands for a set: a number that stands for the sequence of axes it passes. */
function passedAxes(axisCount: number, { starts, count, unions }: TiedIndices): Int32Array {
  const passed = new Int32Array(count);
  const latest = new Int32Array(count).fill(-1);
  const followers = new Map<number, number>();
  let axis = -1;
  let next = 0;
  const owners = [...starts.entries()].filter(([, start]) => start >= 0);
  for (let index = 0; index < count; index++) {
    for (let owner = owners[next]; owner !== undefined && owner[1] <= index; owner = owners[next]) {
      axis = owner[0];
      next++;
    }
    const root = unions.find(index);
    if (latest[root] === axis) continue;
    latest[root] = axis;
    const step = (passed[root] ?? 0) * axisCount + axis;
    const follower = followers.get(step) ?? followers.size + 1;
    followers.set(step, follower);
    passed[root] = follower;
  }
  return passed;
}
