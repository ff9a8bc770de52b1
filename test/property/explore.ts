// Checks many random graphs, and shrinks those that show a defect.
import { createRng } from '../../src/base/rng.js';
import { printModel } from '../../src/ir/text/print.js';
import { parseModel } from '../../src/ir/text/parse.js';
import type { ValueType } from '../../src/ir/value.js';
import type { ConfiguredPass } from '../../src/pipeline/configured-pass.js';
import { presetPasses } from '../../src/pipeline/recipe.js';
import type { RuntimeHost } from '../../src/runtime/host.js';
import { feedsFor, runModel } from '../passes/run-model.js';
import { checkProperties, type Verdict } from './properties.js';
import { randomFeed, randomGraph } from './random-graphs.js';
import { reduceGraph } from './reduce.js';

/** The verdict on random graph `seed`, under the passes of that seed. */
export async function exploreGraph(seed: number | string, host: RuntimeHost): Promise<Verdict> {
  const graph = randomGraph(seed);
  const text = printModel(graph.model, { weights: 'full' });
  return checkProperties({ text, feeds: [randomFeed(graph, 0), randomFeed(graph, 1)], passes: passesFor(seed) }, host);
}

/** The exact preset for two seeds of three; else some of its passes in another order. */
export function passesFor(seed: number | string): ConfiguredPass[] {
  const rng = createRng(`passes/${seed}`);
  const preset = presetPasses('exact');
  if (rng.uniform() < 2 / 3) return preset;
  const share = rng.uniform();
  return preset
    .filter(() => rng.uniform() < share)
    .map((pass) => ({ pass, key: rng.uniform() }))
    .sort((a, b) => a.key - b.key)
    .map(({ pass }) => pass);
}

/** The smallest graph found that shows the first defect of random graph `seed`, as IR text. */
export async function reduceSeed(seed: number | string, host: RuntimeHost): Promise<string> {
  const graph = randomGraph(seed);
  const sizes = `N = ${graph.batches[0] ?? 1}`;
  const passes = passesFor(seed);
  const text = printModel(graph.model, { weights: 'full' });
  const judge = (candidate: string): Promise<Verdict> => {
    const model = parseModel(candidate);
    return checkProperties(
      { text: candidate, feeds: [feedsFor(model, 0, sizes), feedsFor(model, 1, sizes)], passes },
      host,
    );
  };
  const property = (await exploreGraph(seed, host)).violations[0]?.property;
  const fails = async (candidate: string): Promise<boolean> =>
    (await judge(candidate)).violations.some((violation) => violation.property === property);
  if (property === undefined || !(await fails(text))) return text;
  return reduceGraph(text, { fails, typesOf: (candidate) => runTypes(candidate, sizes, host) });
}

/** Types of all values that nodes of the main graph compute, from a run. */
async function runTypes(text: string, sizes: string, host: RuntimeHost): Promise<Map<string, ValueType>> {
  const model = parseModel(text);
  const values = model.graph.nodes().flatMap((node) => node.outputs.flatMap((value) => value ?? []));
  for (const value of values) model.graph.setType(value, undefined);
  model.graph.setOutputs(values);
  const tensors = await runModel(host, model, feedsFor(model, 0, sizes));
  return new Map(
    [...tensors].map(([name, { dtype, dims }]): [string, ValueType] => [name, { kind: 'tensor', dtype, shape: dims }]),
  );
}
