// Observing: accumulators in the child see every value of every batch, of one model or of two side by side.
import { afterAll, describe, expect, it } from 'vitest';
import { createRng } from '../../src/base/rng.js';
import type { AccumulatorSpec, StreamedValue } from '../../src/fit/accumulator.js';
import { ACCUMULATORS } from '../../src/fit/accumulators.js';
import type { RangeState } from '../../src/fit/range.js';
import { InputError, InternalError, InterruptError } from '../../src/base/errors.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { observe } from '../../src/runtime/observe.js';
import type { TensorMap } from '../../src/runtime/wire-tensor.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { addModel, identityModel, tinyModel, TYPE } from './tiny-model.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());

const range = (name: string): AccumulatorSpec => ({ kind: 'range', values: [name] });

async function* batches(...rows: readonly (readonly number[])[]): AsyncGenerator<TensorMap> {
  for (const row of rows) yield new Map([['x', Tensor.fromNumbers('float32', [row.length], row)]]);
}

const streamed = (tensor: Tensor): StreamedValue => ({
  data: Float32Array.from(tensor.toNumbers()),
  dims: tensor.dims,
});

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('observe', () => {
  it('gives the states in the order of the specs, of inputs and outputs alike', async () => {
    const done: number[] = [];
    const states = await observe(
      host,
      { teacher: addModel(['n'], [10]) },
      [range('y'), range('x')],
      batches([1, 2, 3], [-4, 0]),
      { onProgress: (count) => done.push(count) },
    );
    const [y, x] = states as RangeState[];
    expect([y?.min, y?.max, y?.batches, y?.elements]).toEqual([6, 13, 2, 5]);
    expect([x?.min, x?.max, x?.histogram.zeros]).toEqual([-4, 3, 1]);
    expect(done).toEqual([1, 2]);
  });

  it('runs two models on the same batches', async () => {
    const models = { teacher: addModel(['n'], [1]), student: addModel(['n'], [100]) };
    const specs = ['teacher/y', 'student/y', 'student/x'].map(range);
    const states = (await observe(host, models, specs, batches([1, 2]))) as RangeState[];
    expect(states.map(({ max }) => max)).toEqual([3, 102, 2]);
  });

  it('keeps twins apart: the same model as teacher and as student', async () => {
    const model = addModel(['n'], [1]);
    const states = await observe(host, { teacher: model, student: model }, [range('student/y')], batches([5]));
    expect((states[0] as RangeState).max).toBe(6);
  });

  it.each([
    ['float16', TYPE.float16, [0.5, -2]],
    ['int8', TYPE.int8, [-128, 127]],
    ['int64', TYPE.int64, [-7, 9]],
    ['bool', TYPE.bool, [0, 1]],
  ] as const)('turns %s into numbers', async (dtype, type, numbers) => {
    async function* feed(): AsyncGenerator<TensorMap> {
      yield new Map([['x', Tensor.fromNumbers(dtype === 'bool' ? 'uint8' : dtype, [2], numbers)]]).set(
        'x',
        new Tensor(dtype, [2], Tensor.fromNumbers(dtype === 'bool' ? 'uint8' : dtype, [2], numbers).bytes()),
      );
    }
    const [state] = (await observe(host, { teacher: identityModel(type) }, [range('y')], feed())) as RangeState[];
    expect([state?.min, state?.max]).toEqual([Math.min(...numbers), Math.max(...numbers)]);
  });

  it('follows sizes that change from batch to batch, and those that depend on the values', async () => {
    const model = tinyModel({
      nodes: [
        { op: 'Flatten', inputs: ['x'], outputs: ['f'], ints: { axis: 0 } },
        { op: 'NonZero', inputs: ['f'], outputs: ['i'] },
        { op: 'Cast', inputs: ['i'], outputs: ['z'], ints: { to: TYPE.float32 } },
        { op: 'Neg', inputs: ['f'], outputs: ['n'] },
      ],
      inputs: [{ name: 'x', type: TYPE.float32, dims: ['n'] }],
      outputs: [
        { name: 'z', type: TYPE.float32, dims: [2, 'k'] },
        { name: 'n', type: TYPE.float32, dims: [1, 'n'] },
        { name: 'f', type: TYPE.float32, dims: [1, 'n'] },
      ],
    });
    const rows = [[1, 2, 0], [0, 0, 3], [4, 5, 6], [7], [0, 8], [9, 0]];
    const states = await observe(host, { teacher: model }, ['z', 'n', 'f'].map(range), batches(...rows));
    const seen = (states as RangeState[]).map(({ elements, recent }) => [elements, ...recent.minima, ...recent.maxima]);
    expect(seen).toEqual([
      [18, 0, 0, 0, 0, 0, 0, 1, 2, 2, 0, 1, 0],
      [14, -2, -3, -6, -7, -8, -9, 0, 0, -4, -7, 0, 0],
      [14, 0, 0, 4, 7, 0, 0, 2, 3, 6, 7, 8, 9],
    ]);
  });

  it('gives empty states without data', async () => {
    const [state] = (await observe(host, { teacher: addModel(['n'], [1]) }, [range('y')], batches())) as RangeState[];
    expect([state?.batches, state?.min, state?.max]).toEqual([0, Infinity, -Infinity]);
  });

  it('refuses a value that is not there, and goes on working', async () => {
    const error = await failure(observe(host, { teacher: addModel(['n'], [1]) }, [range('z')], batches([1])));
    expect(error).toBeInstanceOf(InputError);
    expect(error).toMatchObject({ code: 'unsupported' });
    const states = await observe(host, { teacher: addModel(['n'], [1]) }, [range('y')], batches([1]));
    expect((states[0] as RangeState).max).toBe(2);
  });

  it('refuses outputs that would end the child', async () => {
    const model = tinyModel({
      nodes: [{ op: 'Cast', inputs: ['x'], outputs: ['y'], ints: { to: TYPE.int4 } }],
      inputs: [{ name: 'x', type: TYPE.float32, dims: ['n'] }],
      outputs: [{ name: 'y', type: TYPE.int4, dims: ['n'] }],
    });
    const error = await failure(observe(host, { teacher: model }, [range('y')], batches([1])));
    expect(error).toMatchObject({ code: 'unsupported' });
  });

  it('passes on what the data or the runtime throws, and closes the data', async () => {
    let closed = false;
    async function* broken(): AsyncGenerator<TensorMap> {
      try {
        yield new Map([['x', Tensor.fromNumbers('float32', [1], [1])]]);
        yield new Map([['x', Tensor.fromNumbers('float32', [1, 2, 3], [1, 2, 3, 4, 5, 6])]]);
        yield new Map();
      } finally {
        closed = true;
      }
    }
    const error = await failure(observe(host, { teacher: addModel([1], [1]) }, [range('y')], broken()));
    expect(error).toBeInstanceOf(InputError);
    expect(closed).toBe(true);
    async function* unreadable(): AsyncGenerator<TensorMap> {
      yield* batches([1]);
      throw new InputError('bad-feed', 'no more');
    }
    const thrown = await failure(observe(host, { teacher: addModel(['n'], [1]) }, [range('y')], unreadable()));
    expect(thrown).toMatchObject({ code: 'bad-feed', message: 'no more' });
  });

  it('calls a kind that is not known a defect', async () => {
    const specs = [{ kind: 'nothing', values: ['y'] }];
    const error = await failure(observe(host, { teacher: addModel(['n'], [1]) }, specs, batches([1])));
    expect(error).toBeInstanceOf(InternalError);
  });

  it('passes on what fails in an accumulator, in the middle and at the end', async () => {
    const models = { teacher: addModel(['n'], [1]), student: identityModel(TYPE.float32) };
    const specs = [{ kind: 'channel-statistics', values: ['teacher/y'], axis: 0 }];
    for (const rows of [
      [[1], [1, 2]],
      [[1], [1, 2], [3], [4]],
    ]) {
      const error = await failure(observe(host, models, specs, batches(...rows)));
      expect(error).toBeInstanceOf(InternalError);
      expect(String(error)).toContain('"teacher/y" has 2 channels, and had 1');
    }
    const states = await observe(host, models, specs, batches([5], [6]));
    expect(states).toMatchObject([{ count: 2, sum: Float64Array.of(13) }]);
  });

  it('reports the error of the earlier batch', async () => {
    async function* feeds(): AsyncGenerator<TensorMap> {
      yield* batches([1], [1, 2]);
      throw new InputError('bad-data', 'no more');
    }
    const error = await failure(observe(host, { teacher: addModel([1], [1]) }, [range('y')], feeds()));
    expect(error).toMatchObject({ code: 'bad-feed' });
  });

  it('gives the states that the same accumulators give one batch after the other, bit for bit', async () => {
    const teacher = addModel(['n'], [0.1]);
    const rng = createRng(5);
    const rows = Array.from({ length: 40 }, () => Array.from({ length: 300 }, () => rng.uniform() * 3 - 1));
    const specs: AccumulatorSpec[] = [
      range('y'),
      range('x'),
      Object.assign(range('y'), { kind: 'channel-statistics', axis: 0 }),
    ];
    const expected = specs.map((spec) => ACCUMULATORS[spec.kind]?.create(spec));
    for await (const feeds of batches(...rows)) {
      const outputs = await host.run(teacher, feeds);
      const batch = new Map([...feeds, ...outputs].map(([name, tensor]) => [name, streamed(tensor)]));
      for (const accumulator of expected) accumulator?.add(batch);
    }
    const states = await observe(host, { teacher }, specs, batches(...rows));
    expect(states).toEqual(expected.map((accumulator) => accumulator?.state()));
  });

  it('stops when aborted', async () => {
    const abort = new AbortController();
    async function* endless(): AsyncGenerator<TensorMap> {
      for (let i = 0; ; i++) {
        if (i === 3) abort.abort();
        yield* batches([i]);
      }
    }
    const { signal } = abort;
    const error = await failure(observe(host, { teacher: addModel(['n'], [1]) }, [range('y')], endless(), { signal }));
    expect(error).toBeInstanceOf(InterruptError);
  });
});
