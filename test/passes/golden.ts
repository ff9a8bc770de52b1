// Runs one golden case: the pass alone to its fixed point, against the text, against ONNX Runtime, and again.
import { createFacts } from '../../src/analysis/inference.js';
import { subgraphsOf } from '../../src/ir/attribute.js';
import { checkModel, type Problem } from '../../src/ir/check.js';
import type { Graph } from '../../src/ir/graph.js';
import type { Model } from '../../src/ir/model.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { printModel } from '../../src/ir/text/print.js';
import { createEvaluator } from '../../src/pipeline/evaluator.js';
import { configure } from '../../src/pipeline/configured-pass.js';
import { runPasses } from '../../src/pipeline/run-passes.js';
import type { AnyPass } from '../../src/passes/pass.js';
import type { RuntimeHost } from '../../src/runtime/host.js';
import { isFloat } from '../../src/tensor/dtype.js';
import { sameTensor, type Tensor } from '../../src/tensor/tensor.js';
import type { GoldenCase } from './golden-file.js';
import { nameNodes, sharedNodeNames } from './node-names.js';
import { difference, feedsFor, relativeError, runModel } from './run-model.js';

export interface GoldenRun {
  /** The model after the pass, short weights in full and long ones left out. */
  readonly text: string;
  readonly changed: boolean;
  readonly declines: readonly string[];
  /** Everything that is not as it should be, whatever the case expects. */
  readonly defects: readonly string[];
  readonly model: Model;
}

const FEEDS = [0, 1, 2];
const TOLERANCE = { exact: 0, rounding: 1e-5, lossy: Infinity };
const HALF_TOLERANCE = 2e-3;

/** Runs `pass` on the case and collects what came out. */
export async function runGolden(pass: AnyPass, golden: GoldenCase, host: RuntimeHost): Promise<GoldenRun> {
  const model = parseModel(golden.before);
  const start = printModel(model, { weights: 'full' });
  const signal = new AbortController().signal;
  const environment = {
    createFacts: (of: Model) => createFacts(of),
    evaluator: createEvaluator(host, signal),
    seed: 0,
    signal,
  };
  const runOn = (one: Model) => runPasses(one, [configure(pass, golden.options)], environment);
  const run = () => runOn(model);
  const log = await run();
  const end = printModel(model, { weights: 'full' });
  const defects = checkModel(model).map(({ rule, message }: Problem) => `${rule}: ${message}`);
  await run();
  if (printModel(model, { weights: 'full' }) !== end) defects.push('a second run changes the model again');
  defects.push(...(await disagreements(pass, golden, model, host)), ...rollBackDefects(model, start, end));
  const named = parseModel(golden.before);
  nameNodes(named);
  await runOn(named);
  defects.push(...sharedNodeNames(named).map((name) => `two nodes bear the name ${name}`));
  const declines = log
    .declines()
    .map(({ code, node }) => `${code}: ${node}`)
    .sort();
  return { text: shortText(model), changed: start !== end, declines, defects, model };
}

async function disagreements(pass: AnyPass, golden: GoldenCase, after: Model, host: RuntimeHost): Promise<string[]> {
  if (golden.notRun !== undefined) return [];
  const before = parseModel(golden.before);
  const hasHalf = /\b(float16|bfloat16)\b/.test(golden.before);
  const tolerance = pass.exactness === 'rounding' && hasHalf ? HALF_TOLERANCE : TOLERANCE[pass.exactness];
  const found: string[] = [];
  for (const seed of FEEDS) {
    const feeds = feedsFor(before, seed, golden.feeds);
    const problem = difference(await runModel(host, before, feeds), await runModel(host, after, feeds), tolerance);
    if (problem !== undefined) found.push(`feed ${seed}: ${problem}`);
  }
  return found;
}

function rollBackDefects(model: Model, start: string, end: string): string[] {
  const mark = model.journal.mark();
  const defects: string[] = [];
  model.journal.seek(0);
  if (printModel(model, { weights: 'full' }) !== start) defects.push('rolling back does not restore the model');
  defects.push(...checkModel(model).map(({ rule, message }) => `rolled back: ${rule}: ${message}`));
  model.journal.seek(mark);
  if (printModel(model, { weights: 'full' }) !== end) defects.push('rolling forward does not give the same model');
  return defects;
}

/** IR text with `_` for tensors of more than 16 elements. */
export function shortText(model: Model): string {
  return printModel(model, { weights: 'brief' }).replace(/\{\.\.\. [^}]*\}/g, '_');
}

/** Differences between the contents of tensors of two models of the same structure; `_` in `expected` matches any. */
export function tensorDifferences(expected: Model, actual: Model): string[] {
  const others = [...tensorsUnder(actual)];
  return [...tensorsUnder(expected)].flatMap(([name, tensor], i) => {
    const other = others[i]?.[1];
    if (!other) return [`${name} is missing`];
    if (tensor.isLazy || sameTensor(tensor, other)) return [];
    const error = isFloat(tensor.dtype) ? relativeError(tensor, other) : Infinity;
    return error <= 1e-6
      ? []
      : [`${name} holds ${other.size > 40 ? '...' : other.toNumbers().join(', ')}: other contents than expected`];
  });
}

function* tensorsUnder(model: Model): Generator<readonly [string, Tensor]> {
  for (const graph of [model.graph, ...model.functions.map((f) => f.graph)]) yield* tensorsOf(graph);
}

function* tensorsOf(graph: Graph): Generator<readonly [string, Tensor]> {
  for (const value of [...graph.initializers].sort((a, b) => a.name.localeCompare(b.name))) {
    if (value.initializer?.kind === 'dense') yield [value.name, value.initializer.tensor];
  }
  for (const node of graph.nodes()) {
    for (const [key, attribute] of node.attributes) {
      if (attribute.kind === 'tensor') yield [`${node.label}/${key}`, attribute.value];
      else if (attribute.kind === 'tensors')
        for (const tensor of attribute.value) yield [`${node.label}/${key}`, tensor];
      for (const inner of subgraphsOf(attribute)) yield* tensorsOf(inner);
    }
  }
}
