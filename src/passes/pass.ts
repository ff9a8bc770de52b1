// What a pass is. One declaration gives flags, completion, recipe schema, validation with hints, the `passes` listing,
// the page in docs/passes, and the counts in the report.
import type { OptionTable, OptionValues } from '../base/option.js';
import type { Rng } from '../base/rng.js';
import type { Facts } from '../analysis/facts.js';
import type { Graph } from '../ir/graph.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { Tensor } from '../tensor/tensor.js';

/** Folder under src/passes that the pass stands in. */
export type PassCategory = 'opset' | 'exact' | 'learned' | 'prune' | 'factorize' | 'quantize';

/** `exact`: bit-equal. `rounding`: equal in real arithmetic, up to the rounding of the element type. */
export type Exactness = 'exact' | 'rounding' | 'lossy';

export type PassNeed = 'data' | 'labels';

/** A message per code; `{name}` is replaced from the details given at the site. */
export type DeclineTable = Readonly<Record<string, string>>;
/** What each counter counts, for the report: `'BatchNormalization folded into Conv'`. */
export type StatTable = Readonly<Record<string, string>>;

export type DeclineDetails = Readonly<Record<string, string | number>>;

interface PassHead<O extends OptionTable, D extends DeclineTable, S extends StatTable> {
  /** kebab-case, verb first, equal to the file name. */
  readonly name: string;
  readonly category: PassCategory;
  readonly exactness: Exactness;
  readonly needs: readonly PassNeed[];
  /** One line, no full stop. */
  readonly summary: string;
  /** A paragraph or two of Markdown for the page: the formula, its conditions, its source. */
  readonly details: string;
  /** Passes that must not come after this one in a recipe. */
  readonly conflicts?: readonly string[];
  /** `last`: what comes after it would take parts of what it writes for layers. Runs over samples put it at their end, or refuse it. */
  readonly place?: 'last';
  /** `size`: it makes models smaller and not faster, and stays where it makes them slower. */
  readonly objective?: 'size';
  /** Of a lossy pass: error relative to the scale of an output beyond which a rewrite is taken for wrong. */
  readonly tolerance?: number;
  readonly options: O;
  readonly declines: D;
  readonly stats: S;
}

/** A local rewrite: tried at every node of its root operators, again when something nearby changed. */
export interface LocalPass<
  O extends OptionTable = OptionTable,
  D extends DeclineTable = DeclineTable,
  S extends StatTable = StatTable,
> extends PassHead<O, D, S> {
  readonly kind: 'local';
  /** Operator types to try at; `'*'` for every node. */
  readonly roots: readonly string[];
  /**
   * Tries the rewrite with `node` as its root. True when it was made (the node may be gone). False, or the result of
   * `ctx.decline`, when it was not; then nothing may have been changed.
   */
  rewrite(node: Node, ctx: PassContext<O, D, S>): boolean;
}

/** A pass over the whole model. */
export interface GlobalPass<
  O extends OptionTable = OptionTable,
  D extends DeclineTable = DeclineTable,
  S extends StatTable = StatTable,
> extends PassHead<O, D, S> {
  readonly kind: 'global';
  run(model: Model, ctx: PassContext<O, D, S>): void | Promise<void>;
}

export type Pass<
  O extends OptionTable = OptionTable,
  D extends DeclineTable = DeclineTable,
  S extends StatTable = StatTable,
> = LocalPass<O, D, S> | GlobalPass<O, D, S>;

/** A pass of any option table: what registries and the runner hold. Its options were parsed with its own table. */
export type AnyPass = Pass;

/** Computes the outputs of nodes whose inputs are all constants, on ONNX Runtime, in one batch. */
export interface Evaluator {
  /** Tensors by value, or undefined for those that could not be computed (operator unsupported there, an error). */
  evaluate(nodes: readonly Node[]): Promise<ReadonlyMap<Value, Tensor>>;
}

export interface PassContext<
  O extends OptionTable = OptionTable,
  D extends DeclineTable = DeclineTable,
  S extends StatTable = StatTable,
> {
  readonly model: Model;
  readonly options: OptionValues<O>;
  readonly facts: Facts;
  readonly evaluator: Evaluator | undefined;
  readonly rng: Rng;
  readonly signal: AbortSignal;
  /** Notes why a site that looked right was left alone. Returns false, so that a rule can `return ctx.decline(...)`. */
  decline(node: Node, code: keyof D & string, details?: DeclineDetails): false;
  /** Adds to a counter. */
  count(stat: keyof S & string, by?: number): void;
  /**
   * Asks whether the rewrite at `node` may be made (bisection takes single rewrites back this way). Local passes are
   * asked by the engine; a global pass asks at each site that it is about to change.
   */
  permit(node: Node | Graph | Value): boolean;
}

/** Declares a local pass; options, codes and counters are typed from the declaration. */
export function defineLocalPass<const O extends OptionTable, const D extends DeclineTable, const S extends StatTable>(
  pass: Omit<LocalPass<O, D, S>, 'kind'>,
): LocalPass<O, D, S> {
  return { kind: 'local', ...pass };
}

/** Declares a pass over the whole model. */
export function defineGlobalPass<const O extends OptionTable, const D extends DeclineTable, const S extends StatTable>(
  pass: Omit<GlobalPass<O, D, S>, 'kind'>,
): GlobalPass<O, D, S> {
  return { kind: 'global', ...pass };
}
