// A module of the user: its export `samples` (or default) yields samples, or is a function that returns them.
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AppError } from '../../base/errors.js';
import { DTYPES, type DType } from '../../tensor/dtype.js';
import { elementCount, Tensor } from '../../tensor/tensor.js';
import type { InputPort } from '../data-set.js';
import { badData, type SourceKind, type StreamedSample, type StreamedSource } from '../source.js';

const ARRAY_TYPES: Readonly<Record<string, DType>> = {
  Float32Array: 'float32',
  Float64Array: 'float64',
  Uint8Array: 'uint8',
  Uint8ClampedArray: 'uint8',
  Buffer: 'uint8',
  Int8Array: 'int8',
  Uint16Array: 'uint16',
  Int16Array: 'int16',
  Uint32Array: 'uint32',
  Int32Array: 'int32',
  BigInt64Array: 'int64',
  BigUint64Array: 'uint64',
  Array: 'float32',
};

const EXAMPLE =
  'export async function* samples() { yield { input: { data: new Float32Array(784), dims: [1, 28, 28] }, label: 3 }; }';

export const USER_MODULE: SourceKind = {
  kind: 'module',
  looksLike: 'a module (.mjs, .js) that exports samples',
  parts: 'none',
  recognises: ({ form, name }) => form === 'file' && /\.m?js$/.test(name),
  open: async ({ place: { path }, labels, inputs }) => {
    if (labels !== undefined)
      throw badData(path, 'a module gives its labels itself', { fix: 'yield { input, label }' });
    const samples = await importSamples(path);
    const stream = (): AsyncGenerator<StreamedSample> => readSamples(samples, path, inputs);
    return {
      kind: USER_MODULE.kind,
      access: 'streamed',
      classes: undefined,
      labelsFrom: (await firstOf(stream()))?.label === undefined ? undefined : 'the module',
      notes: [],
      stream,
    } satisfies StreamedSource;
  },
};

async function importSamples(path: string): Promise<unknown> {
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (cause) {
    throw badData(path, `the module cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  const samples = exported['samples'] ?? exported['default'];
  if (samples === undefined) throw badData(path, 'the module does not export samples', { fix: EXAMPLE });
  return samples;
}

/** The first sample tells whether there are labels, and whether the module works at all. */
async function firstOf(stream: AsyncGenerator<StreamedSample>): Promise<StreamedSample | undefined> {
  for await (const sample of stream) return sample;
  return undefined;
}

async function* readSamples(
  samples: unknown,
  path: string,
  inputs: readonly InputPort[],
): AsyncGenerator<StreamedSample> {
  try {
    const produced: unknown =
      typeof samples === 'function' ? await (samples as (context: unknown) => unknown)({ inputs }) : samples;
    const isGenerator = typeof produced === 'object' && produced !== null && 'next' in produced;
    if (isGenerator && typeof samples !== 'function')
      throw badData(path, 'the module exports a generator, which can be read once only', {
        fix: 'export the function that makes it',
      });
    if (!isIterable(produced)) throw badData(path, 'what the module exports is no list of samples', { fix: EXAMPLE });
    let index = 0;
    for await (const item of produced) yield readSample(item, `${basename(path)}#${index++}`);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw badData(path, `the module failed: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

function readSample(item: unknown, name: string): StreamedSample {
  const { input, feeds, label, name: own } = isRecord(item) ? item : {};
  const named: [string, unknown][] =
    feeds instanceof Map
      ? [...(feeds as Map<string, unknown>)]
      : isRecord(feeds)
        ? Object.entries(feeds)
        : [['', input]];
  if (label !== undefined && !(typeof label === 'number' && Number.isInteger(label) && label >= 0))
    throw badData(name, `the label is ${JSON.stringify(label)}`, { fix: 'yield the index of the class' });
  const arrays = new Map(named.map(([key, value]) => [key, readArray(value, key, name)]));
  return { name: typeof own === 'string' ? own : name, label, sample: { kind: 'arrays', arrays } };
}

function readArray(value: unknown, key: string, name: string): Tensor {
  if (value instanceof Tensor) return value;
  const { data, dims } = isRecord(value) ? value : {};
  const dtype = isRecord(data) || Array.isArray(data) ? ARRAY_TYPES[data.constructor.name] : undefined;
  const sizes = Array.isArray(dims)
    ? (dims as unknown[]).filter((dim): dim is number => Number.isInteger(dim))
    : undefined;
  if (!dtype || !sizes)
    throw badData(name, `the ${key === '' ? 'input' : `array for "${key}"`} of the sample is no array with dims`, {
      fix: EXAMPLE,
    });
  const values = data as ArrayLike<number> & Partial<ArrayBufferView>;
  if (elementCount(sizes) !== values.length)
    throw badData(
      name,
      `the dims ${sizes.join('x')} speak of ${elementCount(sizes)} elements, the array has ${values.length}`,
    );
  // A copy: the module may fill the same array again for its next sample.
  if (!Array.isArray(data) && values.buffer)
    return new Tensor(dtype, sizes, new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice());
  return Tensor.fromNumbers(DTYPES[dtype].kind === 'float' ? dtype : 'float32', sizes, values);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
