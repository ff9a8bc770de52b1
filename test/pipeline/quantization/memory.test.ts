// The peak of activations of a model on integers is that of the graph that ONNX Runtime makes of it, where every conversion that it takes
// into a kernel is gone.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import { peakActivations } from '../../../src/analysis/liveness.js';
import type { Model } from '../../../src/ir/model.js';
import { decodeModel } from '../../../src/onnx/decode.js';
import { openModel } from '../../../src/onnx/open.js';
import { quantizeFile } from '../../../src/pipeline/quantization/quantize-file.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { optimizedGraph } from '../../../src/runtime/optimized-graph.js';
import { requestFor, writeNet } from './net.js';

const folder = mkdtempSync(join(tmpdir(), 'mcompress-int8-memory-'));
const host = new RuntimeHost();
afterAll(async () => {
  await host.dispose();
  rmSync(folder, { recursive: true });
});

const peak = (model: Model): number => peakActivations(model, createFacts(model)).bytes;

it('is that of the optimized graph, and far below that of the model in float', async () => {
  const path = writeNet(folder);
  const outcome = await quantizeFile(requestFor(path));
  const output = join(folder, 'int8.onnx');
  await outcome.publish(output);
  await outcome.dispose();
  expect(outcome.kept).toBe('int8');
  const [float, integers] = [peak((await openModel(path)).model), peak((await openModel(output)).model)];
  const optimized = decodeModel(await optimizedGraph(host, output)).model;
  expect(optimized.graph.nodes().map(({ opType }) => opType)).toContain('QLinearConv');
  expect(integers).toBe(peak(optimized));
  expect(integers).toBeLessThan(0.5 * float);
});
