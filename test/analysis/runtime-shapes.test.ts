// Inferred types and shapes against those that ONNX Runtime returns, for every value of the main graph of every model at
// hand, at two choices of sizes. Large tensors are not fetched: a Shape node per value tells their dims.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { createFacts } from '../../src/analysis/inference.js';
import { evaluateDim, formatDim, symbolsOf } from '../../src/ir/dim.js';
import type { Value } from '../../src/ir/value.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { openModel } from '../../src/onnx/open.js';
import { ASSET_MODELS } from '../asset-models.js';

const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const FOLDERS = [
  ...['../../fixtures', '../../fixtures/small', '../../../shared/assets/models'].map(place),
  ...(process.env['MCOMPRESS_MODELS']?.split(':') ?? []),
];

/** Sizes of symbols where they are not free: image sides must be multiples of 32, or at least as large as the kernels. */
const SIZES: Readonly<Record<string, Readonly<Record<string, readonly [number, number]>>>> = {
  'ppocrv4-det.onnx': { 'p2o.DynamicDimension.1': [64, 96], 'p2o.DynamicDimension.2': [96, 128] },
  'silero-vad-16k.onnx': { sequence: [576, 576] },
  'conv1d-net.onnx': { time: [8, 21] },
};

/** Inputs whose values matter. */
const VALUES: Readonly<Record<string, Readonly<Record<string, number>>>> = { 'silero-vad-16k.onnx': { sr: 16000 } };

/** Values whose shape is not known even when the sizes of inputs are, and why. */
const OPEN: Readonly<Record<string, readonly string[]>> = {
  'loop.onnx': ['history'], // a condition ends the loop early
  'ml-domain.onnx': ['label', 'scores'], // operators of ai.onnx.ml have no record
  'sequence-types.onnx': ['y'], // made out of a sequence
  'sparse-initializer.onnx': ['y'], // a sparse initializer is not read
};

/** Models in which the rank of values depends on the size of an input: an If squeezes an axis away when its size is 1. */
const RANK_DEPENDS_ON_SIZES = new Set(['silero-vad-16k.onnx']);

/** Models that the runtime does not load, and why. */
const NOT_RUN: Readonly<Record<string, string>> = {
  'custom-domain.onnx': 'unknown operator',
  'newest-ir.onnx': 'opset newer than the runtime',
  'newest-types.onnx': 'types newer than the runtime',
};

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int32: Int32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
} as const;

/** Ones, or 0.5 as float16; `value` for every element of an int64. */
function feedOf(dtype: string, dims: readonly number[], value = 1): RuntimeTensor {
  const count = dims.reduce((product, dim) => product * dim, 1);
  if (dtype === 'string') return new RuntimeTensor('string', Array<string>(count).fill('a'), dims);
  if (dtype === 'int64') return new RuntimeTensor('int64', new BigInt64Array(count).fill(BigInt(value)), dims);
  const data = new ARRAYS[dtype as keyof typeof ARRAYS](count).fill(dtype === 'float16' ? 0x3800 : 1);
  return new RuntimeTensor(dtype as 'float32', data as Float32Array, dims);
}

interface Observation {
  /** `name: type[dims]` per value, as the runtime returns them. */
  readonly observed: readonly string[];
  /** The same with the sizes put in for the symbols. */
  readonly substituted: readonly string[];
  /** The same inferred with inputs of these sizes. */
  readonly assumed: readonly string[];
}

async function observe(path: string, name: string, sizes: ReadonlyMap<string, number>): Promise<Observation> {
  const { model, document } = await openModel(path);
  const facts = createFacts(model, { assumedSizes: sizes });
  const { graph } = model;
  const values = graph
    .nodes()
    .flatMap((node) => node.outputs.filter((value) => value !== undefined))
    .filter((value) => facts.of(value).dtype !== undefined);
  const text = (value: Value, dims: readonly (number | string)[] | undefined): string =>
    `${value.name}: ${facts.of(value).dtype}[${dims?.join()}]`;
  const substituted = values.map((value) =>
    text(
      value,
      facts.of(value).shape?.map((dim) => evaluateDim(dim, sizes) ?? formatDim(dim)),
    ),
  );
  const assumed = values.map((value) => text(value, facts.assumed(value)));
  const feeds = Object.fromEntries(
    graph.inputs
      .filter((input) => input.constant === undefined)
      .map((input) => [
        input.name,
        feedOf(facts.of(input).dtype ?? 'float32', facts.assumed(input) ?? [], VALUES[name]?.[input.name]),
      ]),
  );
  const shapes = values.map(
    (value) => graph.addNode({ opType: 'Shape', inputs: [value], outputs: ['mcompress_shape'] }).output as Value,
  );
  graph.setOutputs([...new Set([...graph.outputs, ...values, ...shapes])]);
  const session = await InferenceSession.create(Buffer.concat(encodeModel(document, model)), {
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 4,
  });
  const results = await session.run(
    feeds,
    shapes.map((shape) => shape.name),
    { logSeverityLevel: 4 },
  );
  const types = new Map(session.outputMetadata.map((entry) => [entry.name, entry.isTensor ? entry.type : 'other']));
  const observed = values.map(
    (value, i) =>
      `${value.name}: ${types.get(value.name)}[${(results[shapes[i]?.name ?? '']?.data as BigInt64Array | undefined)?.join()}]`,
  );
  await session.release();
  return { observed, substituted, assumed };
}

/** Lines that disagree at these sizes, as the runtime and as inference has them. */
async function disagreements(path: string, name: string, sizes: ReadonlyMap<string, number>): Promise<string[]> {
  const { observed, substituted, assumed } = await observe(path, name, sizes);
  const open = OPEN[name] ?? [];
  const dependsOnSizes = (line: string): boolean =>
    RANK_DEPENDS_ON_SIZES.has(name) && /\[(undefined|\?.*)\]$/.test(line);
  return observed.flatMap((line, i) => {
    if (open.includes(line.split(': ')[0] ?? '')) return [];
    const [atSizes = '', bySymbols = ''] = [assumed[i], substituted[i]];
    if (atSizes === line && (bySymbols === line || dependsOnSizes(bySymbols))) return [];
    return [`${line}, not ${atSizes} or ${bySymbols} at ${JSON.stringify([...sizes])}`];
  });
}

/** Every symbol of the inputs, at the first or second choice of sizes. */
async function sizesOf(path: string, name: string, choice: 0 | 1): Promise<Map<string, number>> {
  const { model } = await openModel(path);
  const facts = createFacts(model);
  const symbols = model.graph.inputs.flatMap(
    (input) => facts.of(input).shape?.flatMap((dim) => [...symbolsOf(dim)]) ?? [],
  );
  return new Map(symbols.map((symbol) => [symbol, SIZES[name]?.[symbol]?.[choice] ?? choice + 1]));
}

const files = FOLDERS.flatMap((folder) =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.onnx'))
        .map((name) => [name, join(folder, name)] as const)
    : [],
);
const paths = new Map(files);

describe.each([...new Set([...paths.keys(), ...ASSET_MODELS])])('%s', (name) => {
  const path = paths.get(name);
  it.skipIf(path === undefined || name in NOT_RUN)('has the types and shapes that the runtime returns', async () => {
    const choices = [await sizesOf(path ?? '', name, 0), await sizesOf(path ?? '', name, 1)];
    const found: string[] = [];
    for (const sizes of choices[0]?.size === 0 ? choices.slice(1) : choices)
      found.push(...(await disagreements(path ?? '', name, sizes)));
    expect(found).toEqual([]);
  });
});

it('finds the fixtures', () => {
  expect(files.length).toBeGreaterThan(40);
});
