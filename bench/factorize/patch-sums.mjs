// Layers of a trained model with the sums of their patches: over samples that factors are fitted to, and over others that judge.
import { readFileSync } from 'node:fs';
import { createFacts } from '../../dist/analysis/inference.js';
import { openData } from '../../dist/data/open-data.js';
import { parsePreprocess } from '../../dist/data/preprocess.js';
import { layerSizes } from '../../dist/fit/patch-geometry.js';
import { patchMomentsSpec } from '../../dist/fit/patch-moments.js';
import { decodeModel } from '../../dist/onnx/decode.js';
import { linearLayer } from '../../dist/passes/linear-layer.js';
import { instrument } from '../../dist/pipeline/instrument.js';
import { inputSpecs } from '../../dist/pipeline/model-facts.js';
import { Workspace } from '../../dist/pipeline/workspace.js';
import { RuntimeHost } from '../../dist/runtime/host.js';
import { observe } from '../../dist/runtime/observe.js';

/** Feeds of samples [from, to), one at a time. */
async function* feedsOf(data, from, to) {
  for await (const { feeds } of data.samples({ from, to })) yield feeds;
}

/** Rows per number of a patch are this many times what a fit of a layer takes: here the metric is measured, not the thrift. */
const ROWS = 4;

/**
 * Convolutions of the model of a case (bench/prune/cases.mjs) that `accepts` takes, each `{ name, layer, weights, bias, positions,
 * fit, held }`; `samples`: of both parts together, one half each.
 */
export async function layersWithSums(one, { samples, accepts }) {
  const decoded = { ...decodeModel(readFileSync(one.file), { path: one.file }), path: one.file };
  const { model } = decoded;
  const facts = createFacts(model, { assumedSizes: new Map() });
  const data = await openData(one.images, { inputs: inputSpecs(model), preprocess: parsePreprocess('raw') });
  const half = Math.floor(Math.min(samples, data.size ?? samples) / 2);
  const found = model.graph.nodes().flatMap((node) => {
    const layer = node.opType === 'Conv' ? linearLayer(node, facts) : undefined;
    if (!layer || layer.groups > 1 || !accepts(layer)) return [];
    const spec = patchMomentsSpec(layer, [node.inputs[0].name], { samples: Math.ceil(half / ROWS) });
    const weights = node.inputs[1].constant.toFloat64();
    const bias = node.inputs[2]?.constant?.toFloat64() ?? new Float64Array(layer.outputs);
    return [{ name: node.name || node.outputs[0].name, node, layer, weights, bias, spec }];
  });
  const host = new RuntimeHost();
  const workspace = await Workspace.create(undefined);
  try {
    const values = found.map(({ node }) => node.inputs[0]);
    const { path } = await instrument(decoded, values, workspace, { rest: 'drop' });
    const specs = found.map(({ spec }) => spec);
    const fit = await observe(host, { teacher: path }, specs, feedsOf(data, 0, half));
    const held = await observe(host, { teacher: path }, specs, feedsOf(data, half, 2 * half));
    return found.map(({ name, node, layer, weights, bias }, i) => {
      const positions = (facts.of(node.outputs[0]).shape ?? []).slice(2).reduce((all, size) => all * size, 1);
      return {
        name,
        layer,
        weights,
        bias,
        positions,
        input: facts.of(node.inputs[0]).shape.slice(2),
        fit: fit[i],
        held: held[i],
      };
    });
  } finally {
    host.dispose();
    await workspace.dispose();
  }
}

export const isThreeByThree = (layer) => layerSizes(layer).taps === 9;
