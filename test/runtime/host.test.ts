// RuntimeHost against ONNX Runtime itself: values, types, errors with their codes, sessions, stopping.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AppError, InputError, InternalError, InterruptError } from '../../src/base/errors.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { DTYPES, type DType } from '../../src/tensor/dtype.js';
import { elementCount, sameTensor, Tensor } from '../../src/tensor/tensor.js';
import { asset, haveAssets } from './assets.js';
import { addModel, float32s, identityModel, int64s, tinyModel, TYPE } from './tiny-model.js';

const host = new RuntimeHost();
const folder = mkdtempSync(join(tmpdir(), 'mcompress-test-'));
afterAll(async () => {
  await host.dispose();
  rmSync(folder, { recursive: true });
});

const floats = (dims: readonly number[], numbers: readonly number[]): Tensor =>
  Tensor.fromNumbers('float32', dims, numbers);
const filled = (dims: readonly number[], value: number): Tensor =>
  floats(
    dims,
    Array.from({ length: elementCount(dims) }, () => value),
  );
const utf8 = new TextEncoder();

async function failure(promise: Promise<unknown>): Promise<AppError> {
  const error = await promise.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('run', () => {
  it('runs a model given as bytes', async () => {
    const y = (await host.run(addModel(['n', 3], [1, 2, 3]), new Map([['x', floats([2, 3], [0, 0, 0, 1, 1, 1])]]))).get(
      'y',
    );
    expect(y?.dims).toEqual([2, 3]);
    expect(y?.toNumbers()).toEqual([1, 2, 3, 2, 3, 4]);
  });

  it('runs a model given as a path, and sees that the file changed', async () => {
    const path = join(folder, 'add.onnx');
    const feeds = new Map([['x', floats([3], [0, 0, 0])]]);
    writeFileSync(path, addModel(['n'], [1, 2, 3]));
    expect((await host.run(path, feeds)).get('y')?.toNumbers()).toEqual([1, 2, 3]);
    writeFileSync(path, addModel([3], [40, 50, 60]));
    expect((await host.run(path, feeds)).get('y')?.toNumbers()).toEqual([40, 50, 60]);
  });

  it('sees a change that keeps size and time', async () => {
    const path = join(folder, 'same-size.onnx');
    const feeds = new Map([['x', floats([3], [0, 0, 0])]]);
    const results: unknown[] = [];
    for (const bias of [1, 2, 3, 4]) {
      writeFileSync(path, addModel(['n'], [bias, bias, bias]));
      utimesSync(path, 1_700_000_000, 1_700_000_000);
      results.push((await host.run(path, feeds)).get('y')?.toNumbers()[0]);
    }
    expect(results).toEqual([1, 2, 3, 4]);
  });

  it('passes a large byte model through a file, and leaves none behind', async () => {
    // A folder for temporary files of its own: other tests make and remove theirs meanwhile.
    const temporary = mkdtempSync(join(tmpdir(), 'host-'));
    vi.stubEnv('TMPDIR', temporary);
    const big = addModel(
      ['n', 2 ** 19 + 1],
      Array.from({ length: 2 ** 19 + 1 }, () => 7),
    );
    const own = new RuntimeHost();
    const y = (await own.run(big, new Map([['x', filled([1, 2 ** 19 + 1], 1)]]))).get('y');
    expect(y?.toFloat64().every((value) => value === 8)).toBe(true);
    await own.dispose();
    vi.unstubAllEnvs();
    expect(readdirSync(temporary)).toEqual([]);
    rmSync(temporary, { recursive: true });
  });

  it('returns only the outputs asked for', async () => {
    const model = tinyModel({
      nodes: [
        { op: 'Neg', inputs: ['x'], outputs: ['a'] },
        { op: 'Abs', inputs: ['x'], outputs: ['b'] },
      ],
      inputs: [{ name: 'x', type: TYPE.float32, dims: [2] }],
      outputs: [
        { name: 'a', type: TYPE.float32, dims: [2] },
        { name: 'b', type: TYPE.float32, dims: [2] },
      ],
    });
    const outputs = await host.run(model, new Map([['x', floats([2], [-1, 2])]]), { outputs: ['b'] });
    expect([...outputs.keys()]).toEqual(['b']);
    expect(outputs.get('b')?.toNumbers()).toEqual([1, 2]);
  });

  it.each<DType>([
    'float32',
    'float64',
    'float16',
    'int8',
    'int16',
    'int32',
    'int64',
    'uint8',
    'uint16',
    'uint32',
    'uint64',
    'bool',
  ])('carries %s both ways', async (dtype) => {
    const x = Tensor.fromNumbers(
      dtype,
      [3],
      dtype === 'bool' ? [1, 0, 1] : DTYPES[dtype].kind === 'uint' ? [0, 1, 200] : [0, -1, 100],
    );
    const y = (await host.run(identityModel(DTYPES[dtype].code), new Map([['x', x]]))).get('y');
    expect(y && sameTensor(x, y)).toBe(true);
  });

  it('carries strings, empty tensors and 64-bit integers beyond 2^53', async () => {
    const text = new Tensor('string', [2], [utf8.encode('grüße'), new Uint8Array()]);
    const textBack = (await host.run(identityModel(TYPE.string), new Map([['x', text]]))).get('y');
    expect(textBack && sameTensor(text, textBack)).toBe(true);
    const none = (await host.run(identityModel(TYPE.float32), new Map([['x', floats([0], [])]]))).get('y');
    expect(none?.dims).toEqual([0]);
    const wide = new Tensor('int64', [1], new Uint8Array(BigInt64Array.of(2n ** 62n + 1n).buffer));
    expect((await host.run(identityModel(TYPE.int64), new Map([['x', wide]]))).get('y')?.toBigInts()).toEqual([
      2n ** 62n + 1n,
    ]);
  });

  it('feeds tensors that are unaligned slices of a file', async () => {
    for (const file of [new Uint8Array(13), Buffer.alloc(13)]) {
      file.set(new Uint8Array(Float32Array.of(1, 2, 3).buffer), 1);
      const x = new Tensor('float32', [3], file.subarray(1));
      const outputs = await host.run(identityModel(TYPE.float32), new Map([['x', x]]));
      expect(outputs.get('y')?.toNumbers()).toEqual([1, 2, 3]);
    }
  });

  it('answers calls made at once in order', async () => {
    const model = addModel(['n'], [1]);
    const results = await Promise.all(
      [10, 20, 30].map((value) => host.run(model, new Map([['x', floats([1], [value])]]))),
    );
    expect(results.map((outputs) => outputs.get('y')?.scalar())).toEqual([11, 21, 31]);
  });
});

describe('evaluate and describe', () => {
  it('evaluates several outputs of a model without inputs', async () => {
    const model = tinyModel({
      nodes: [
        { op: 'Add', inputs: ['a', 'b'], outputs: ['sum'] },
        { op: 'Shape', inputs: ['a'], outputs: ['dims'] },
      ],
      outputs: [
        { name: 'sum', type: TYPE.float32 },
        { name: 'dims', type: TYPE.int64 },
      ],
      tensors: [float32s('a', [2, 2], [1, 2, 3, 4]), float32s('b', [2], [10, 20])],
    });
    const outputs = await host.evaluate(model, ['sum', 'dims']);
    expect(outputs.get('sum')?.toNumbers()).toEqual([11, 22, 13, 24]);
    expect(outputs.get('dims')?.toBigInts()).toEqual([2n, 2n]);
  });

  it('describes inputs and outputs with symbols', async () => {
    expect(await host.describe(addModel(['batch', '', 3], [1, 2, 3]))).toEqual({
      inputs: [{ name: 'x', dtype: 'float32', dims: ['batch', '', 3] }],
      outputs: [{ name: 'y', dtype: 'float32', dims: ['batch', '', 3] }],
    });
  });
});

describe('errors', () => {
  const x = new Map([['x', floats([4], [1, 2, 3, 4])]]);
  const reshape = tinyModel({
    nodes: [{ op: 'Reshape', name: 'fold', inputs: ['x', 's'], outputs: ['y'] }],
    inputs: [{ name: 'x', type: TYPE.float32, dims: ['n'] }],
    outputs: [{ name: 'y', type: TYPE.float32 }],
    tensors: [int64s('s', [3, 5])],
  });
  const dangling = tinyModel({
    nodes: [{ op: 'Relu', inputs: ['gone'], outputs: ['y'] }],
    outputs: [{ name: 'y', type: TYPE.float32 }],
  });
  const unknown = tinyModel({
    nodes: [{ op: 'Frobnicate', inputs: ['x'], outputs: ['y'] }],
    inputs: [{ name: 'x', type: 1, dims: [1] }],
    outputs: [{ name: 'y', type: 1 }],
  });

  it.each<[string, () => Promise<unknown>, string]>([
    ['a file that is not there', () => host.run(join(folder, 'nowhere.onnx'), x), 'not-found'],
    ['a folder', () => host.run(folder, x), 'not-readable'],
    ['bytes that are no model', () => host.run(Uint8Array.of(1, 2, 3, 4), x), 'runtime-rejects'],
    ['a dangling name', () => host.run(dangling, x), 'runtime-rejects'],
    ['an operator the runtime lacks', () => host.run(unknown, x), 'runtime-rejects'],
    ['a bfloat16 input', () => host.run(identityModel(TYPE.bfloat16), x), 'unsupported'],
    ['a feed missing', () => host.run(reshape, new Map()), 'bad-feed'],
    ['a feed too many', () => host.run(reshape, new Map([...x, ['z', floats([1], [1])]])), 'bad-feed'],
    ['a feed of the wrong rank', () => host.run(addModel([2, 2], [1, 2]), x), 'bad-feed'],
    ['a feed of the wrong size', () => host.run(addModel([3], [1, 2, 3]), x), 'bad-feed'],
    ['a feed of the wrong type', () => host.run(identityModel(TYPE.int64), x), 'bad-feed'],
    [
      'a feed that cannot be carried',
      () => host.run(identityModel(TYPE.float32), new Map([['x', Tensor.fromNumbers('int4', [2], [1, 2])]])),
      'unsupported',
    ],
    [
      'an output that is not there',
      () => host.run(identityModel(TYPE.float32), x, { outputs: ['zz'] }),
      'missing-value',
    ],
    ['a node that fails', () => host.run(reshape, x), 'runtime-failed'],
  ])('%s', async (_what, call, code) => {
    const error = await failure(call());
    expect(error).toBeInstanceOf(InputError);
    expect(error.code).toBe(code);
    expect(error.message).not.toMatch(/onnxruntime_src|\.cc:|\.h:|::/);
    expect(error.message).not.toContain(folder);
  });

  it('names the node that failed and keeps the reason', async () => {
    const error = await failure(host.run(reshape, x));
    expect(error.at.node).toBe('fold');
    expect(error.message).toContain('Input shape:{4}, requested shape:{3,5}');
  });

  it('refuses an int4 output, which would end the process', async () => {
    const model = tinyModel({
      nodes: [{ op: 'QuantizeLinear', inputs: ['x', 's', 'z'], outputs: ['y'] }],
      inputs: [{ name: 'x', type: TYPE.float32, dims: ['n'] }],
      outputs: [{ name: 'y', type: TYPE.int4, dims: ['n'] }],
      tensors: [float32s('s', [], [1]), { name: 'z', type: TYPE.int4, dims: [], raw: Uint8Array.of(0) }],
    });
    expect((await failure(host.run(model, x))).code).toBe('unsupported');
  });

  const outside = tinyModel({
    nodes: [{ op: 'Add', inputs: ['x', 'b'], outputs: ['y'] }],
    inputs: [{ name: 'x', type: TYPE.float32, dims: [4] }],
    outputs: [{ name: 'y', type: TYPE.float32, dims: [4] }],
    tensors: [{ ...float32s('b', [4], [1, 2, 3, 4]), external: 'weights.bin' }],
  });

  it('cuts the model folder out of a message about external data', async () => {
    const path = join(folder, 'outside.onnx');
    writeFileSync(path, outside);
    const error = await failure(host.run(path, x));
    expect(error.code).toBe('external-data');
    expect(error.at.file).toBe('outside.onnx');
    expect(error.message).toContain('"weights.bin"');
    expect(error.message).not.toContain(tmpdir());
  });

  it('finds external data of a byte model in the folder given', async () => {
    const data = join(folder, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'weights.bin'), new Uint8Array(Float32Array.of(1, 1, 1, 1).buffer));
    expect((await host.run(outside, x, { externalFolder: data })).get('y')?.toNumbers()).toEqual([2, 3, 4, 5]);
  });
});

describe('the child process', () => {
  it('is replaced after a crash', async () => {
    const own = new RuntimeHost();
    const model = addModel(['n'], [1]);
    const feeds = new Map([['x', floats([1], [1])]]);
    await own.run(model, feeds);
    const crashed = failure(
      own.exclusive(async (link) => {
        const asked = link.ask('memory', {}, model).then(() => link.ask('memory', {}, model));
        if (own.pid !== undefined) process.kill(own.pid, 'SIGSEGV');
        return asked;
      }),
    );
    expect(await crashed).toBeInstanceOf(InternalError);
    expect((await crashed).code).toBe('runtime-crashed');
    expect((await own.run(model, feeds)).get('y')?.scalar()).toBe(2);
    await own.dispose();
  });

  it('refuses calls after it was disposed of, and leaves no child', async () => {
    const own = new RuntimeHost();
    await own.describe(addModel(['n'], [1]));
    const { pid } = own;
    expect(pid !== undefined && isAlive(pid)).toBe(true);
    await own.dispose();
    expect(pid !== undefined && isAlive(pid)).toBe(false);
    await expect(own.describe(addModel(['n'], [1]))).rejects.toBeInstanceOf(InterruptError);
  });

  it('does not start for a call that was aborted before', async () => {
    const own = new RuntimeHost();
    await expect(own.describe(addModel(['n'], [1]), { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(
      InterruptError,
    );
    expect(own.pid).toBeUndefined();
  });

  it('keeps no more sessions open than told', async () => {
    const own = new RuntimeHost({ keptSessions: 1 });
    const feeds = new Map([['x', floats([1], [1])]]);
    const [one, two] = [addModel(['n'], [1]), addModel(['n'], [2])];
    await own.run(one, feeds);
    const first = await own.exclusive((link) => link.open(one, { arena: 'off' }));
    await own.run(two, feeds);
    await expect(own.exclusive((link) => link.ask('run', { session: first.session, feeds: {} }, one))).rejects.toThrow(
      'no session',
    );
    await own.dispose();
  });

  it('says so when it is not built', async () => {
    const own = new RuntimeHost({ workerUrl: new URL('nowhere.js', import.meta.url) });
    await expect(own.describe(addModel(['n'], [1]))).rejects.toMatchObject({ code: 'runtime-crashed' });
  });
});

describe.skipIf(!haveAssets)('stopping a long run (style-candy)', () => {
  const own = new RuntimeHost();
  const model = asset('style-candy.onnx');
  const feeds = new Map<string, Tensor>();
  beforeAll(async () => {
    const { inputs } = await own.describe(model);
    const input = inputs[0];
    const dims = input?.dims.map((dim) => (typeof dim === 'number' ? dim : 1)) ?? [];
    feeds.set(input?.name ?? '', filled(dims, 0.5));
  });
  afterAll(() => own.dispose());

  it('an abort in the middle ends the child, not the host', async () => {
    const { pid } = own;
    const abort = new AbortController();
    const running = own.run(model, feeds, { signal: abort.signal });
    const waiting = own.describe(model);
    setTimeout(() => abort.abort(), 250);
    await expect(running).rejects.toBeInstanceOf(InterruptError);
    // The call that waited is answered by a new child.
    expect((await waiting).inputs).toHaveLength(1);
    expect(pid !== undefined && isAlive(pid)).toBe(false);
  });

  it('a time-out is an error of its own', async () => {
    await expect(own.run(model, feeds, { timeout: 100 })).rejects.toMatchObject({ code: 'runtime-failed' });
  });

  it('disposing in the middle rejects the call', async () => {
    const running = own.run(model, feeds);
    const refused = failure(running);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { pid } = own;
    await own.dispose();
    expect(await refused).toBeInstanceOf(InterruptError);
    expect(pid !== undefined && isAlive(pid)).toBe(false);
  });
});
