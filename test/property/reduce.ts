// Shrinks a graph that shows a defect: fewer outputs, nodes replaced by an input or by new graph inputs, as long as the
// defect stays.
import { eliminateDeadNodes } from './dead-nodes.js';
import type { Model } from '../../src/ir/model.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { printModel } from '../../src/ir/text/print.js';
import type { Value, ValueType } from '../../src/ir/value.js';

/** Types of the values of the main graph in a run, by name. */
export type TypesOf = (text: string) => Promise<ReadonlyMap<string, ValueType>>;

export interface ReduceOptions {
  /** The defect is still there. */
  readonly fails: (text: string) => Promise<boolean>;
  readonly typesOf: TypesOf;
}

type Edit = (model: Model) => boolean;

/** A smaller text for which `fails` holds. */
export async function reduceGraph(text: string, { fails, typesOf }: ReduceOptions): Promise<string> {
  let smallest = text;
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    const types = await typesOf(smallest);
    for (const edit of [...keepOneOutput(smallest), ...cutNodes(smallest, types)]) {
      const model = parseModel(smallest);
      if (!edit(model)) continue;
      eliminateDeadNodes(model);
      const candidate = printModel(model, { weights: 'full' });
      if (candidate.length >= smallest.length || !(await fails(candidate))) continue;
      smallest = candidate;
      isSmaller = true;
      break;
    }
  }
  return smallest;
}

function keepOneOutput(text: string): Edit[] {
  const { outputs } = parseModel(text).graph;
  if (outputs.length < 2) return [];
  return outputs.map((_, i): Edit => (model) => {
    model.graph.setOutputs(model.graph.outputs.slice(i, i + 1));
    return true;
  });
}

/** For every node, the last first: its result becomes a graph input, or one of its own inputs of the same type. */
function cutNodes(text: string, types: ReadonlyMap<string, ValueType>): Edit[] {
  const names = parseModel(text)
    .graph.nodes()
    .flatMap((node) => node.outputs.flatMap((value) => value?.name ?? []))
    .reverse();
  return names.flatMap((name) => [
    (model: Model): boolean =>
      replace(model, name, () => {
        const type = types.get(name);
        return type && model.graph.addInput(`in_${name}`, type);
      }),
    (model: Model): boolean =>
      replace(model, name, (value) =>
        value.producer?.inputs.find((input) => input && sameType(types.get(input.name) ?? input.type, types.get(name))),
      ),
  ]);
}

function replace(model: Model, name: string, makeSubstitute: (value: Value) => Value | undefined): boolean {
  const value = model.graph
    .nodes()
    .flatMap((node) => node.outputs)
    .find((output) => output?.name === name);
  if (!value || value.slots.size === 0) return false;
  const substitute = makeSubstitute(value);
  if (!substitute) return false;
  for (const node of value.consumers())
    node.inputs.forEach((input, i) => {
      if (input === value) node.graph?.setInput(node, i, substitute);
    });
  return true;
}

function sameType(a: ValueType | undefined, b: ValueType | undefined): boolean {
  return a?.kind === 'tensor' && b?.kind === 'tensor' && a.dtype === b.dtype && a.shape?.join() === b.shape?.join();
}
