// Real and hand-made models through `slim`: running it on its own output changes nothing, nothing grows, and what is
// quantized stays quantized.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Model } from '../../src/ir/model.js';
import { openModel } from '../../src/onnx/open.js';
import { slimFile } from '../../src/report/slim-file.js';
import { assets, fixtures, hasAssets } from '../onnx/model-files.js';

const folder = mkdtempSync(join(tmpdir(), 'mcompress-settled-'));

afterAll(() => rmSync(folder, { recursive: true }));

const others = assets.filter(([name]) => !fixtures.some(([known]) => known === name));
const models = [...fixtures, ...others];
const QUANTIZED = ['qdq-net', 'qlinear-net', 'resnet8-cifar10-int8-qdq'];
const isQuantized = ([name]: (typeof models)[number]): boolean => QUANTIZED.some((part) => name.includes(part));

/** The model at `path` slimmed, as a file. */
async function slimmed(path: string, name: string): Promise<string> {
  const output = join(folder, name);
  await slimFile(path, { output, verify: 'off', measure: 'off' });
  return output;
}

/** Nodes of operators that quantize or compute on integers, by operator, and bytes of the weights by element type. */
function quantizedParts(model: Model): { readonly nodes: Map<string, number>; readonly bytes: Map<string, number> } {
  const nodes = new Map<string, number>();
  const bytes = new Map<string, number>();
  const add = (counts: Map<string, number>, key: string, by: number): unknown =>
    counts.set(key, (counts.get(key) ?? 0) + by);
  for (const node of model.allNodes()) if (/^QLinear|Quantize|Integer$/.test(node.opType)) add(nodes, node.opType, 1);
  for (const value of model.graph.initializers)
    if (value.initializer?.kind === 'dense')
      add(bytes, value.initializer.tensor.dtype, value.initializer.tensor.byteLength);
  return { nodes, bytes };
}

describe('slim on its own output', () => {
  /** What a first and a second run write. */
  const twoRuns = async (path: string): Promise<readonly [Buffer, Buffer]> => {
    const once = await slimmed(path, 'once.onnx');
    return [readFileSync(once), readFileSync(await slimmed(once, 'twice.onnx'))];
  };

  it.each(fixtures)('changes nothing in %s', async (_, path) => {
    const [once, twice] = await twoRuns(path);
    expect(twice.equals(once)).toBe(true);
  });

  it.skipIf(!hasAssets).each(hasAssets ? others : [['(no assets)', '']])(
    'changes nothing in asset %s',
    async (_, path) => {
      const [once, twice] = await twoRuns(path);
      expect(twice.equals(once)).toBe(true);
    },
  );
});

describe('quantized models', () => {
  it.each(models.filter(isQuantized))('%s keeps its quantization and does not grow', async (_, path) => {
    const { model: before } = await openModel(path);
    const output = await slimmed(path, 'quantized.onnx');
    const { model: after } = await openModel(output);
    expect(readFileSync(output).length).toBeLessThanOrEqual(readFileSync(path).length);
    expect(after.nodeTotal).toBeLessThanOrEqual(before.nodeTotal);
    const [old, now] = [quantizedParts(before), quantizedParts(after)];
    expect(now.nodes).toEqual(old.nodes);
    for (const [dtype, bytes] of now.bytes)
      expect([dtype, bytes <= (old.bytes.get(dtype) ?? 0)]).toEqual([dtype, true]);
  });
});
