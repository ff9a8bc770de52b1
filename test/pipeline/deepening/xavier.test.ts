// Random weights for new layers: within the bound of Glorot, spread evenly, the same for the same seed, other layers left alone.
import { expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { xavierWeights } from '../../../src/pipeline/deepening/xavier.js';

const model = () =>
  parseModel(`<ir_version: 8, opset_import: ["" : 17]>
g (float[1,4,8,8] x) => (float[1,8,8,8] y)
<float[16,4,3,3] w = random(1), float[16] b = random(2), float[8,16,1,1] v = random(3)>
{
  h = Conv <pads = [1, 1, 1, 1]> (x, w, b)
  r = Relu (h)
  y = Conv (r, v)
}`);

it('gives layers uniform weights within sqrt(6 / (fan in + fan out)) and no bias', () => {
  const changed = model();
  const { graph } = changed;
  const [conv] = graph.nodes();
  const kept = model().graph.nodes()[2]?.inputs[1]?.constant?.toFloat64();
  xavierWeights(conv ? [conv] : [], createFacts(changed), 7);
  const weights = graph.nodes()[0]?.inputs[1]?.constant?.toFloat64() ?? new Float64Array();
  const reach = Math.sqrt(6 / (4 * 9 + 16 * 9));
  const largest = Math.max(...weights.map(Math.abs));
  expect(largest).toBeLessThanOrEqual(reach);
  expect(largest).toBeGreaterThan(0.95 * reach);
  const variance = weights.reduce((sum, w) => sum + w * w, 0) / weights.length;
  expect(variance / (reach ** 2 / 3)).toBeGreaterThan(0.85);
  expect(variance / (reach ** 2 / 3)).toBeLessThan(1.15);
  expect(
    graph
      .nodes()[0]
      ?.inputs[2]?.constant?.toFloat64()
      .every((b) => b === 0),
  ).toBe(true);
  expect(graph.nodes()[2]?.inputs[1]?.constant?.toFloat64()).toEqual(kept);
});

it('gives the same again, and others for another seed', () => {
  const of = (seed: number): Float64Array | undefined => {
    const changed = model();
    xavierWeights(changed.graph.nodes(), createFacts(changed), seed);
    return changed.graph.nodes()[0]?.inputs[1]?.constant?.toFloat64();
  };
  expect(of(1)).toEqual(of(1));
  expect(of(1)).not.toEqual(of(2));
});
