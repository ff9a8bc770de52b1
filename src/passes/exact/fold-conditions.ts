// Control flow whose way is known before the model runs: If with a known condition or equal branches, Loop that runs once
// or never, Where that always chooses the same side.
import type { OptionTable } from '../../base/option.js';
import { intsAttr, type Attribute } from '../../ir/attribute.js';
import { sameDims } from '../../ir/dim.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import { uniformNumber } from '../constants.js';
import { bypass, dropIfUnused, graphOf, removeDead } from '../edit.js';
import { nodeKey } from '../node-key.js';
import { defineLocalPass, type PassContext } from '../pass.js';
import { canMoveOut, moveOut, takeOver } from '../splice.js';

const DECLINES = {
  'no-iterations': 'The Loop runs no iteration, but the shape of its scan outputs is then not known.',
  broadcasts: 'Where always chooses one side, but widens it to another shape.',
  'graph-output': 'Where always chooses one side, but gives the output of a graph its name.',
} as const;

type Context = PassContext<OptionTable, typeof DECLINES>;

export const foldConditions = defineLocalPass({
  name: 'fold-conditions',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Replace If, Loop and Where whose way is known by what they do',
  details: `The condition of an If may be a constant, or follow from shapes (\`rank(x) == 3\`, \`batch != 0\`); then the branch takes the
place of the node. So does either branch when both are equal. A Loop with a trip count of 1, or that never runs, becomes its
body or its initial values. Where with a constant condition that is the same everywhere becomes the side it chooses, if that
has the shape of the result.`,
  options: {},
  declines: DECLINES,
  stats: {
    branches: 'If nodes replaced by a branch',
    loops: 'Loops replaced by their body or initial values',
    choices: 'Where nodes replaced by a side',
  },
  roots: ['If', 'Loop', 'Where'],
  rewrite(node, ctx) {
    if (node.domain !== '') return false;
    return node.opType === 'If'
      ? foldIf(node, ctx)
      : node.opType === 'Loop'
        ? foldLoop(node, ctx)
        : foldWhere(node, ctx);
  },
});

function foldIf(node: Node, ctx: Context): boolean {
  const condition = uniformNumber(ctx.facts, node.inputs[0]);
  const [thenBranch, elseBranch] = [graphAttribute(node, 'then_branch'), graphAttribute(node, 'else_branch')];
  if (!thenBranch || !elseBranch) return false;
  const isSame =
    condition === undefined && branchKey(thenBranch) !== undefined && branchKey(thenBranch) === branchKey(elseBranch);
  if (condition === undefined && !isSame) return false;
  const branch = condition === 0 ? elseBranch : thenBranch;
  if (branch.outputs.length < node.outputs.length || !canMoveOut(branch)) return false;
  takeOver(node, moveOut(branch, node));
  ctx.count('branches');
  return true;
}

function graphAttribute(node: Node, name: string): Graph | undefined {
  const attribute = node.attribute(name);
  return attribute?.kind === 'graph' ? attribute.value : undefined;
}

/** A text that is equal for branches that compute the same in the same order; undefined with subgraphs inside. */
function branchKey(graph: Graph): string | undefined {
  const names = new Map<Value, string>();
  for (const value of graph.initializers) {
    if (!value.constant) return undefined;
    names.set(value, value.constant.fingerprint());
  }
  const nameOf = (value: Value | undefined): string => (value ? (names.get(value) ?? `v${value.ordinal}`) : '');
  const lines: string[] = [];
  for (const node of graph.nodes()) {
    const key = nodeKey(node, nameOf);
    if (key === undefined) return undefined;
    for (const value of node.outputs) if (value) names.set(value, `#${names.size}`);
    lines.push(key);
  }
  return [...lines, graph.outputs.map(nameOf).join()].join('\n');
}

/** Loop (trip count, condition, carried values...): the body takes the iteration, the condition and the carried values. */
function foldLoop(node: Node, ctx: Context): boolean {
  const body = graphAttribute(node, 'body');
  const [trips, condition, ...carried] = node.inputs;
  const count = trips ? uniformNumber(ctx.facts, trips) : undefined;
  const going = condition ? uniformNumber(ctx.facts, condition) : 1;
  if (!body || body.inputs.length !== carried.length + 2 || body.outputs.length !== node.outputs.length + 1)
    return false;
  if (node.outputs.length < carried.length) return false;
  const scans = node.outputs.slice(carried.length);
  if ((count !== undefined && count <= 0) || going === 0) {
    if (scans.some((value) => value && !value.isUnused)) return ctx.decline(node, 'no-iterations');
    takeOver(node, carried);
  } else if (count === 1 && going === 1) {
    const outer = graphOf(node);
    const iteration = outer.addInitializer(Tensor.scalar('int64', 0), 'iteration');
    const first = outer.addInitializer(Tensor.scalar('bool', 1), 'condition');
    const given = [iteration, first, ...carried];
    const [goesOn, ...results] = unrolled(body, node, given);
    takeOver(
      node,
      results.map((value, i) => (i < carried.length ? value : stacked(value, node, ctx))),
    );
    removeDead([goesOn, ...results]);
    for (const value of [iteration, first]) dropIfUnused(value);
  } else {
    return false;
  }
  ctx.count('loops');
  return true;
}

/** The body moved out, reading `given` in place of its formal inputs; a formal input that it returns is what was given. */
function unrolled(body: Graph, node: Node, given: readonly (Value | undefined)[]): readonly (Value | undefined)[] {
  const replacement = new Map(body.inputs.map((input, i) => [input, given[i]]));
  const { outputs } = body;
  body.setOutputs([]);
  for (const [input, value] of replacement) if (value && !input.isUnused) body.replaceUses(input, value);
  body.setOutputs(outputs.filter((value) => !replacement.has(value)));
  const moved = [...moveOut(body, node)];
  return outputs.map((value) => (replacement.has(value) ? replacement.get(value) : moved.shift()));
}

/** A scan output of one iteration: the value with a new first axis. */
function stacked(value: Value | undefined, node: Node, ctx: Context): Value | undefined {
  if (!value) return undefined;
  const graph = graphOf(node);
  const asInput = ctx.facts.site(node).opset >= 13;
  const attributes: Record<string, Attribute> = asInput ? {} : { axes: intsAttr([0]) };
  const axes = asInput ? [graph.addInitializer(Tensor.int64s([0]), 'axes')] : [];
  return graph.addNode(
    { opType: 'Unsqueeze', inputs: [value, ...axes], outputs: [`${value.name}_stacked`], attributes },
    node,
  ).output;
}

function foldWhere(node: Node, ctx: Context): boolean {
  const [condition, ifTrue, ifFalse] = node.inputs;
  const choice = uniformNumber(ctx.facts, condition);
  const chosen = ifTrue === ifFalse || choice === 1 ? ifTrue : choice === 0 ? ifFalse : undefined;
  if (!chosen || !node.output) return false;
  if (!sameDims(ctx.facts.of(chosen).shape, ctx.facts.of(node.output).shape)) return ctx.decline(node, 'broadcasts');
  const { inputs } = node;
  if (!bypass(node, chosen)) return ctx.decline(node, 'graph-output');
  removeDead(inputs);
  ctx.count('choices');
  return true;
}
