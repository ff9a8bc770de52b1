// Chains are layers as any other: quantized behind the factorization, every factor is found fused in the graph that ONNX Runtime runs.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { FactorScheme } from '../../../src/fit/low-rank/factors.js';
import { quantizeFile } from '../../../src/pipeline/quantization/quantize-file.js';
import { netData, requestFor, writeNet } from '../quantization/net.js';
import { factorizeRequest, finished } from './run.js';

const root = mkdtempSync(join(tmpdir(), 'mcompress-quantized-chain-'));
afterAll(() => rmSync(root, { recursive: true }));

it.each<[FactorScheme, number]>([
  ['spatial-svd', 2],
  ['tucker-2', 3],
])('%s: all %i factors of each chain run on integers', { timeout: 300_000 }, async (scheme, length) => {
  const folder = mkdtempSync(join(root, 'run-'));
  const output = join(folder, 'factorized.onnx');
  const { outcome } = await finished(
    factorizeRequest(writeNet(folder), output, {
      openData: () => Promise.resolve(netData(60)),
      settings: { macs: '0.8x', maxDrop: 99, samples: 30, schemes: [scheme] },
    }),
  );
  const chains = outcome.layers.filter(({ chain }) => chain);
  expect(chains.length).toBeGreaterThan(0);
  const quantized = await quantizeFile(requestFor(output));
  try {
    const { nodes } = quantized.proof;
    expect(nodes.filter(({ fused }) => !fused)).toEqual([]);
    const labels = nodes.map(({ planned }) => planned.node);
    for (const { name } of chains) {
      const factors = Array.from({ length: length - 1 }, (_, at) => `${name}_factor_${at + 1}`);
      expect(labels).toEqual(expect.arrayContaining([...factors, name]));
    }
  } finally {
    await quantized.dispose();
  }
});
