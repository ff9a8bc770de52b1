// Axis facts of convolutions. X is [N, C, spatial...], W is [O, C/group, kernel...] (transposed: [C, O/group, kernel...]),
// B is [O]. Groups: the attribute stays while channels leave, so every group has to lose the same channels; that ties
// channel c to c mod C/group. Where a group has one input channel (depthwise, with O/C outputs each), the group leaves with
// its channel instead.
import { isStatic } from '../ir/dim.js';
import type { AxisFacts, AxisTie } from './axes.js';
import { broadcastTies, carried, inputAxis, outputAxis, tie } from './axis-ties.js';
import { shapeOf } from './inputs.js';
import type { CostSite } from './record.js';

const BATCH = carried(0, 0, 0);

interface Channels {
  readonly groups: number;
  /** Channels per group: of the data, and of the output. */
  readonly inputs: number;
  readonly outputs: number;
}

/** Undefined where the numbers are not known or do not divide. */
function channelsOf(site: CostSite, inputs: unknown, outputs: unknown): Channels | undefined {
  const groups = site.node.int('group', 1);
  if (typeof inputs !== 'number' || typeof outputs !== 'number' || groups < 1) return undefined;
  const fits = inputs % groups === 0 && outputs % groups === 0;
  return fits ? { groups, inputs: inputs / groups, outputs: outputs / groups } : undefined;
}

/** An axis whose index i has to leave together with i mod `period`. */
function periodic(at: AxisTie['from'], period: number): AxisTie {
  return tie('carry', at, at, (index) => index % period);
}

/** Output channels of a depthwise layer follow the input channel that they are made from. */
const spread =
  (multiplier: number): AxisTie['map'] =>
  (index) =>
    Math.floor(index / multiplier);

function biasTies(site: CostSite, slot: number): AxisTie[] {
  return site.input(slot) === undefined ? [] : [carried(slot, 0, 1)];
}

/** Facts of Conv and of FusedConv, whose fourth input is added to the result. */
export function convAxes(site: CostSite): AxisFacts | undefined {
  const weights = inputAxis(1, 0);
  const output = outputAxis(0, 1);
  const data = inputAxis(0, 1);
  const addend = site.input(3) === undefined ? [] : broadcastTies(site, 3);
  const around = [BATCH, ...biasTies(site, 2), ...addend];
  if (site.node.int('group', 1) === 1)
    return { ties: [...around, tie('contract', data, inputAxis(1, 1)), tie('make', weights, output)] };
  const channels = channelsOf(site, shapeOf(site, 0)?.[1], shapeOf(site, 1)?.[0]);
  if (channels === undefined) return undefined;
  const { inputs, outputs } = channels;
  if (inputs === 1) {
    const own = tie('carry', weights, output);
    return { ties: [...around, tie('carry', data, output, spread(outputs)), own] };
  }
  const read = tie('contract', inputAxis(1, 1), data, (index) => index % inputs);
  return { ties: [...around, read, tie('make', weights, output), periodic(output, outputs)] };
}

/** Facts of ConvTranspose: rows of the weights are read, columns make channels, the same in every group. */
export function convTransposeAxes(site: CostSite): AxisFacts | undefined {
  const [rows, columns] = [inputAxis(1, 0), inputAxis(1, 1)];
  const output = outputAxis(0, 1);
  const data = inputAxis(0, 1);
  const around = [BATCH, ...biasTies(site, 2)];
  const groups = site.node.int('group', 1);
  if (groups === 1) return { ties: [...around, tie('contract', data, rows), tie('make', columns, output)] };
  const perGroup = shapeOf(site, 1)?.[1];
  const channels = channelsOf(site, shapeOf(site, 1)?.[0], isStatic(perGroup) ? perGroup * groups : undefined);
  if (channels === undefined) return undefined;
  const { inputs, outputs } = channels;
  if (inputs === 1) {
    const own = tie('carry', data, rows);
    const kept = { side: 'input', slot: 1, axis: 1 } as const;
    return { ties: [...around, own, tie('carry', data, output, spread(outputs))], untouched: [kept] };
  }
  const made = tie('make', columns, output, (index) => index % outputs);
  return { ties: [...around, tie('contract', data, rows), periodic(data, inputs), made] };
}

/** Deformable convolution, where all channels share the offsets. */
export function deformConvAxes(site: CostSite): AxisFacts | undefined {
  const { node } = site;
  if (node.int('group', 1) !== 1 || node.int('offset_group', 1) !== 1) return undefined;
  const read = tie('contract', inputAxis(0, 1), inputAxis(1, 1));
  return { ties: [BATCH, read, tie('make', inputAxis(1, 0), outputAxis(0, 1)), ...biasTies(site, 3)] };
}
