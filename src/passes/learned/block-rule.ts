// Rules that replace a block of nodes by cheaper layers, which only a fit makes good (DeepRebirth 2018 and its successors): what they
// find, and how it is carried out. A new rule is one file and one line in the registry of this folder.
import type { Facts } from '../../analysis/facts.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';

/** What a proposal has made of the graph. */
export interface BlockChange {
  /** Layers with weights that are new or changed, in the order of the data. */
  readonly layers: readonly Node[];
  /**
   * Values that keep their name and whose channels (axis 1) are fewer than before, or in another order: which of those before each one is.
   * Everything else that keeps its name keeps its meaning and its shape.
   */
  readonly kept: ReadonlyMap<string, readonly number[]>;
}

/** A block, and one thing that could stand for it. Good as long as the graph is as it was when it was found. */
export interface BlockProposal {
  /** What stands for the block, in one word of the rule: `normless`. With rule and block it names the proposal. */
  readonly form: string;
  /** The node that the block is called by: its first layer, or the Concat of branches. */
  readonly block: Node;
  /** Nodes that go or change. Proposals that share one exclude each other. */
  readonly nodes: readonly Node[];
  /**
   * Puts it there, with weights that are the best guess without data; what comes out of the block keeps its name. It is called once.
   * Fresh layers whose outputs (behind activations and Concats) bear names of the original are fitted to these afterwards.
   */
  apply(): BlockChange;
}

/** A block that looked right, and is left alone. */
export interface BlockDecline<C extends string = string> {
  readonly block: Node;
  readonly form: string | undefined;
  /** A key of `declines` of the rule. */
  readonly code: C;
}

export interface FoundBlocks<C extends string = string> {
  readonly proposals: readonly BlockProposal[];
  readonly declined: readonly BlockDecline<C>[];
}

export interface BlockRule<C extends string = string> {
  /** As the verb and the recipe call it: `slim-streamline`. */
  readonly name: string;
  /** What it does, in half a line. */
  readonly summary: string;
  /** Its forms, and what each does. */
  readonly forms: Readonly<Record<string, string>>;
  /** Why a block is left alone, by code. */
  readonly declines: Readonly<Record<C, string>>;
  /** All that it could do in the graph, in order of execution. Changes nothing. */
  find(graph: Graph, facts: Facts): FoundBlocks<C>;
}
