// What may leave a network together. A unit is a set of indices along axes of values, weights included, that stand or fall
// together: a filter, its bias, what normalization and activations make of it, and the columns of all layers that read
// it; through a residual sum, the filters of all summands. Units that pass the same axes of the same values form a group.
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';

/** Units along one axis of one value. */
export interface GroupMember {
  readonly value: Value;
  readonly axis: number;
  /** Indices along the axis by unit: several where a unit is spread (Flatten, groups of a convolution), ascending. */
  readonly indices: readonly (readonly number[])[];
}

/** A node that sums over the units: removing them there is the same as zeros in the input at these channels. */
export interface GroupReader {
  readonly node: Node;
  /** The slot that carries the data; the other holds weights, or data as well. */
  readonly slot: number;
  /** Axis of that input along which the units lie. */
  readonly axis: number;
}

/**
 * Why a group may not be pruned. `mixes-channels`: an operator depends on all indices of the axis at once. `fixed-index`: an
 * index, or the size of the axis, is named elsewhere. `opaque-operator`: nothing is known of what the node does.
 */
export type FreezeCode =
  | 'graph-input'
  | 'graph-output'
  | 'opaque-operator'
  | 'mixes-channels'
  | 'unknown-shape'
  | 'subgraph'
  | 'fixed-index'
  | 'no-reader'
  | 'no-maker';

export interface Freeze {
  readonly code: FreezeCode;
  /** Name of the node or value to blame. */
  readonly at: string;
}

export interface ChannelGroup {
  /** What its first layer makes, by name; parts of one value that go different ways are numbered (`#2`). The same in every run. */
  readonly name: string;
  /** How many units. */
  readonly width: number;
  readonly members: readonly GroupMember[];
  /** Tensor layers whose filters make the units, in graph order. */
  readonly makers: readonly Node[];
  /** In graph order. */
  readonly readers: readonly GroupReader[];
  readonly frozen?: Freeze | undefined;
}
