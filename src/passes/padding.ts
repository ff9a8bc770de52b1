// What a Pad node does, read from attributes (before opset 11) or inputs.
import type { Facts } from '../analysis/facts.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { knownNumbers } from './constants.js';

export interface Padding {
  readonly data: Value;
  readonly mode: string;
  /** Per axis of the data; negative ones crop. */
  readonly begins: readonly number[];
  readonly ends: readonly number[];
  /** What it fills in, in mode `constant`; undefined when that is not known. */
  readonly value: number | undefined;
}

/** The padding of a Pad node; undefined when its amounts are not known. */
export function paddingOf(node: Node, facts: Facts): Padding | undefined {
  const [data, amounts, filler, axesInput] = node.inputs;
  if (!node.is('Pad') || data === undefined) return undefined;
  const given = node.ints('pads') ?? knownNumbers(facts, amounts);
  const axes = axesInput && knownNumbers(facts, axesInput);
  const rank = axesInput ? facts.of(data).shape?.length : given && given.length / 2;
  if (given === undefined || rank === undefined || (axesInput && axes === undefined)) return undefined;
  const count = given.length / 2;
  const [begins, ends] = [Array<number>(rank).fill(0), Array<number>(rank).fill(0)];
  for (let i = 0; i < count; i++) {
    const axis = axes?.[i] ?? i;
    const at = axis < 0 ? axis + rank : axis;
    begins[at] = given[i] ?? 0;
    ends[at] = given[count + i] ?? 0;
  }
  const value =
    filler === undefined ? node.float('value', 0) : filler.constant?.size === 1 ? filler.constant.scalar() : undefined;
  return { data, mode: node.string('mode', 'constant'), begins, ends, value };
}
