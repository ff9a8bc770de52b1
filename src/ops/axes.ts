// How the axes of a node's outputs follow those of its inputs, index by index: what an operator record says of a node, and
// the one fact from which groups of channels follow (src/analysis/channels.ts). An axis that is not mentioned is frozen:
// nothing along it may leave. That goes for axes that the operator mixes (Softmax, LRN, a mean over channels) and for
// spatial axes under a window.

/** One axis of one slot of a node. */
export interface AxisRef {
  readonly side: 'input' | 'output';
  readonly slot: number;
  readonly axis: number;
}

/**
 * Indices of two axes that stand or fall together.
 * - `carry`: what lies at one index of the input comes out at one or several of the output (both ends may also be inputs,
 *   or one and the same axis, where indices have to leave together).
 * - `contract`: two inputs, over whose common index the node sums: an index may leave where one of them is zero.
 * - `make`: a carry from learned weights: each index is a filter, and makes a channel.
 */
export interface AxisTie {
  readonly kind: 'carry' | 'contract' | 'make';
  readonly from: AxisRef;
  readonly to: AxisRef;
  /** The index along `from` that belongs to `index` along `to`; undefined where none does. Absent: the same index. */
  readonly map?: (index: number) => number | undefined;
}

/** Why an axis, or one index along it, has to stay. */
export interface AxisFreeze {
  readonly at: AxisRef;
  readonly code: 'fixed-index' | 'unknown-shape';
  /** The only index concerned; absent: all. */
  readonly index?: number;
}

export interface AxisFacts {
  readonly ties: readonly AxisTie[];
  /**
   * Of each list one tie holds, whichever the surroundings allow, the first where several are possible: a Reshape that
   * joins axes can follow one of them, and freezes the others.
   */
  readonly choices?: readonly (readonly AxisTie[])[];
  /** Axes that the node neither reads nor mixes. */
  readonly untouched?: readonly AxisRef[];
  readonly frozen?: readonly AxisFreeze[];
}
