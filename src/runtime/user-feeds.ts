// What a user says to feed: `--feed FILE.npz`, `--feed name=file.npy`, `--feed name=value`.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { InputError, UsageError } from '../base/errors.js';
import { suggestion } from '../base/suggest.js';
import { DTYPES, isInteger } from '../tensor/dtype.js';
import { readNpy, readNpz } from '../tensor/npy.js';
import { elementCount, Tensor } from '../tensor/tensor.js';
import type { FixedFeed, InputSpec } from './feeds.js';

export interface UserFeeds {
  /** Values of single inputs, used in every sample. */
  readonly fixed: ReadonlyMap<string, FixedFeed>;
  /** One sample per .npz file; each may leave inputs out. */
  readonly samples: readonly ReadonlyMap<string, Tensor>[];
}

/**
 * Reads `--feed` values against the inputs of a model.
 * @throws UsageError bad-value (form of a flag); InputError not-found, bad-feed (files, values, names, types)
 */
export function readFeedFlags(flags: readonly string[], specs: readonly InputSpec[]): UserFeeds {
  const fixed = new Map<string, FixedFeed>();
  const samples: Map<string, Tensor>[] = [];
  for (const flag of flags) {
    if (flag.endsWith('.npz')) {
      const arrays = readNpz(readBytes(flag), basename(flag));
      samples.push(new Map([...arrays].map(([name, tensor]) => [name, fitTensor(tensor, findSpec(specs, name))])));
      continue;
    }
    const equals = flag.indexOf('=');
    if (equals < 1)
      throw new UsageError('bad-value', `"${flag}" is not a feed`, {
        fix: 'give FILE.npz, name=FILE.npy or name=value',
      });
    const spec = findSpec(specs, flag.slice(0, equals));
    const value = flag.slice(equals + 1);
    fixed.set(
      spec.name,
      value.endsWith('.npy') ? fitTensor(readNpy(readBytes(value), basename(value)), spec) : parseLiteral(value, spec),
    );
  }
  return { fixed, samples };
}

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new InputError('not-found', 'the file to feed does not exist or cannot be read', {
      at: { file: basename(path) },
      cause,
    });
  }
}

function findSpec(specs: readonly InputSpec[], name: string): InputSpec {
  const spec = specs.find((candidate) => candidate.name === name);
  if (spec) return spec;
  const names = specs.map((candidate) => candidate.name);
  throw new InputError('bad-feed', `the model has no input "${name}"`, {
    fix: suggestion(name, names) ?? 'see the inputs with: mcompress inspect',
  });
}

/**
 * `tensor` in the type of the input, with its rank and fixed sizes checked. Numbers may change their type where none
 * changes its value; floating-point ones are rounded to a narrower floating-point type.
 * @throws InputError bad-feed
 */
function fitTensor(tensor: Tensor, spec: InputSpec): Tensor {
  const wrong = (why: string): InputError => new InputError('bad-feed', why, { at: { tensor: spec.name } });
  const ported = spec.dims.map((dim) => (dim === '' ? '?' : dim)).join(', ');
  // The runtime gives no dims for a scalar and for an input of unknown rank.
  const fits =
    spec.dims.length === 0 ||
    (spec.dims.length === tensor.dims.length &&
      spec.dims.every((dim, i) => typeof dim === 'string' || dim === tensor.dims[i]));
  if (!fits) throw wrong(`an array of [${tensor.dims.join(', ')}] does not fit the input's [${ported}]`);
  if (tensor.dtype === spec.dtype) return tensor;
  if (tensor.dtype === 'string' || spec.dtype === 'string')
    throw wrong(`the input is ${spec.dtype}, the array ${tensor.dtype}`);
  const numbers = tensor.toFloat64();
  const converted = Tensor.fromNumbers(spec.dtype, tensor.dims, numbers);
  if (DTYPES[spec.dtype].kind !== 'float' && converted.toFloat64().some((value, i) => value !== numbers[i])) {
    throw wrong(`the array's ${tensor.dtype} values do not all fit the input's ${spec.dtype}`);
  }
  return converted;
}

/** A number or text, a list `1,2,3`, or nested lists in JSON. One value for an input of several elements fills it. */
function parseLiteral(text: string, spec: InputSpec): FixedFeed {
  const wrong = (why: string): InputError =>
    new InputError('bad-feed', `"${text}" cannot be fed: ${why}`, { at: { tensor: spec.name } });
  const { values, dims } = text.startsWith('[') ? parseNested(text, wrong) : parseList(text);
  if (spec.dtype === 'string') {
    const encoder = new TextEncoder();
    return fitTensor(
      new Tensor(
        'string',
        listDims(dims, spec),
        values.map((value) => encoder.encode(value)),
      ),
      spec,
    );
  }
  const numbers = values.map((value) => {
    const number = WORDS[value.toLowerCase()] ?? (value === '' ? Number.NaN : Number(value));
    if (Number.isNaN(number) && value.toLowerCase() !== 'nan') throw wrong(`"${value}" is not a number`);
    if (isInteger(spec.dtype) && !Number.isSafeInteger(number))
      throw wrong(`"${value}" is not a whole number up to 2^53`);
    return number;
  });
  const [first = 0] = numbers;
  if (dims === 'one' && spec.dims.some((dim) => dim !== 1)) {
    return { fill: fitTensor(Tensor.scalar('float64', first), { ...spec, dims: [] }).scalar() };
  }
  return fitTensor(Tensor.fromNumbers('float64', listDims(dims, spec), numbers), spec);
}

const WORDS: Readonly<Record<string, number>> = { true: 1, false: 0, inf: Infinity, '-inf': -Infinity };
type Dims = 'one' | readonly number[];

function parseList(text: string): { values: string[]; dims: Dims } {
  const values = text.split(',').map((value) => value.trim());
  return { values, dims: values.length === 1 ? 'one' : [values.length] };
}

function parseNested(text: string, wrong: (why: string) => InputError): { values: string[]; dims: Dims } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw wrong('it is not a JSON array');
  }
  const dims: number[] = [];
  for (let level = parsed; Array.isArray(level); level = level[0]) dims.push(level.length);
  const values = [parsed].flat(dims.length as 20).map(String);
  if (values.length !== elementCount(dims)) throw wrong('its rows have different lengths');
  return { values, dims };
}

/** A flat list takes the shape of the input where only one size is open. */
function listDims(dims: Dims, spec: InputSpec): readonly number[] {
  const given = dims === 'one' ? [1] : dims;
  if (given.length !== 1) return given;
  const count = given[0] ?? 0;
  const open = spec.dims.filter((dim) => typeof dim === 'string').length;
  const fixed = elementCount(spec.dims.map((dim) => (typeof dim === 'number' ? dim : 1)));
  if (spec.dims.length === 0) return dims === 'one' ? [] : given;
  if (open > 1 || (open === 0 && fixed !== count) || count % fixed !== 0) return given;
  return spec.dims.map((dim) => (typeof dim === 'number' ? dim : count / fixed));
}
