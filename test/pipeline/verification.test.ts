// What counts as agreement, where ONNX Runtime itself misbehaves: its part is played.
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { InputError, InternalError, InterruptError } from '../../src/base/errors.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { Reference } from '../../src/pipeline/verification.js';
import { RuntimeHost, type RunOptions } from '../../src/runtime/host.js';
import type { ModelSource } from '../../src/runtime/model-source.js';
import { Tensor } from '../../src/tensor/tensor.js';

const host = new RuntimeHost();
afterAll(() => host.dispose());
afterEach(() => vi.restoreAllMocks());

const { signal } = new AbortController();
const bytes = (text: string): Uint8Array => Buffer.concat(encodeModel(undefined, parseModel(text)));
const NET =
  'g (float[N,4] x) => (float[N,4] y, int64[N] k) { t = Tanh (x)\n y = Identity (t)\n k = ArgMax <axis = 1, keepdims = 0> (t) }';
const original = bytes(NET);
const candidate = bytes(NET.replace('y = Identity (t)', 'm = Neg (t)\n y = Neg (m)'));
const gather = () => Reference.gather(host, original, { seed: 0, signal });
const tolerance = { mode: 'scale', limit: 1e-4 } as const;

interface Played {
  readonly model: ModelSource;
  readonly optimization: RunOptions['optimization'];
  readonly act: () => Map<string, Tensor>;
}
const run = host.run.bind(host);

/** Makes runs of some models in some modes end as they are told to; returns the options of those runs. */
function play(...plays: readonly Played[]): RunOptions[] {
  const seen: RunOptions[] = [];
  vi.spyOn(host, 'run').mockImplementation(async (model, feeds, options = {}) => {
    const played = plays.find((one) => one.model === model && one.optimization === options.optimization);
    if (!played) return run(model, feeds, options);
    seen.push(options);
    return played.act();
  });
  return seen;
}

const fails = (error: Error) => () => {
  throw error;
};

it('agrees with an equal candidate, on every sample and once optimized', async () => {
  const reference = await gather();
  const runs = vi.spyOn(host, 'run');
  expect(await reference.check(candidate, { mode: 'bits' })).toMatchObject({
    agrees: true,
    worstRelative: 0,
    unstable: [],
  });
  expect(runs).toHaveBeenCalledTimes(reference.samples.length + 2);
  await reference.check(candidate, { mode: 'bits' });
  expect(runs).toHaveBeenCalledTimes(2 * reference.samples.length + 3);
});

describe('a candidate disagrees', () => {
  it.each([
    [
      'ends the process of the runtime',
      new InternalError('runtime-crashed', 'it ended by SIGSEGV'),
      /fails on "normal": it ended by SIGSEGV/,
    ],
    ['does not end', new InputError('runtime-failed', 'it did not finish'), /fails on "normal": it did not finish/],
  ])('that %s', async (_what, error, reason) => {
    const reference = await gather();
    const seen = play({ model: candidate, optimization: 'disabled', act: fails(error) });
    expect(await reference.check(candidate, tolerance)).toMatchObject({
      agrees: false,
      reason: expect.stringMatching(reason),
    });
    expect(seen[0]?.timeout).toBeGreaterThan(60_000);
  });

  it('that fails only when it is optimized', async () => {
    const reference = await gather();
    play({ model: candidate, optimization: 'all', act: fails(new InputError('runtime-rejects', 'no kernel')) });
    expect(await reference.check(candidate, tolerance)).toMatchObject({
      agrees: false,
      reason: 'fails once ONNX Runtime optimizes it: no kernel',
    });
  });

  it('that answers something else only when it is optimized', async () => {
    const reference = await gather();
    const [sample] = reference.samples;
    const other = new Map(sample?.outputs).set('y', Tensor.fromNumbers('float32', [1, 4], [9, 9, 9, 9]));
    play({ model: candidate, optimization: 'all', act: () => other });
    expect(await reference.check(candidate, tolerance)).toMatchObject({
      agrees: false,
      reason: expect.stringMatching(/^once ONNX Runtime optimizes it, output "y" has other values/),
    });
  });
});

describe('nobody is blamed', () => {
  it('when optimizing changes the candidate by no more than a lossy pass may', async () => {
    const reference = await gather();
    const [sample] = reference.samples;
    const y = sample?.outputs.get('y')?.toNumbers() ?? [];
    const step = 0.05 * Math.max(...y.map(Math.abs));
    const moved = new Map(sample?.outputs).set(
      'y',
      Tensor.fromNumbers(
        'float32',
        [1, 4],
        y.map((one) => one + step),
      ),
    );
    play({ model: candidate, optimization: 'all', act: () => moved });
    expect(await reference.check(candidate, { mode: 'scale', limit: 0.1 })).toMatchObject({ agrees: true });
    expect(await reference.check(candidate, { mode: 'scale', limit: 0.01 })).toMatchObject({ agrees: false });
  });

  it('when optimizing makes the original fail too', async () => {
    const reference = await gather();
    const act = fails(new InputError('runtime-rejects', 'no kernel'));
    play({ model: original, optimization: 'all', act }, { model: candidate, optimization: 'all', act });
    expect(await reference.check(candidate, tolerance)).toMatchObject({ agrees: true });
  });

  it('when optimizing changes the original as much', async () => {
    const reference = await gather();
    const [sample] = reference.samples;
    const moved = (by: number) => () =>
      new Map(sample?.outputs).set(
        'y',
        Tensor.fromNumbers(
          'float32',
          [1, 4],
          (sample?.outputs.get('y')?.toNumbers() ?? []).map((y) => y + by),
        ),
      );
    play(
      { model: original, optimization: 'all', act: moved(0.1) },
      { model: candidate, optimization: 'all', act: moved(0.3) },
    );
    expect(await reference.check(candidate, tolerance)).toMatchObject({ agrees: true });
  });

  it('for an interruption or a defect of ours', async () => {
    const reference = await gather();
    for (const error of [
      new InterruptError('stopped'),
      new InternalError('unexpected', 'oops'),
      new TypeError('oops'),
    ]) {
      play({ model: candidate, optimization: 'disabled', act: fails(error) });
      await expect(reference.check(candidate, tolerance)).rejects.toBe(error);
      vi.restoreAllMocks();
    }
  });
});

it('says nothing where nothing runs', async () => {
  const unrunnable = await Reference.gather(host, bytes('g (float[2] x) => (float[2] y) { y = NoSuch (x) }'), {
    seed: 0,
    signal,
  });
  expect(unrunnable.obstacle).toMatchObject({ code: 'runtime-rejects' });
  expect(await unrunnable.check(candidate, tolerance)).toBeUndefined();
});

it('says nothing where every output is random', async () => {
  const random = bytes('g (float[2,8] x) => (float[2,8] y) { y = RandomNormalLike (x) }');
  const reference = await Reference.gather(host, random, { seed: 0, signal });
  expect(reference.obstacle).toBeUndefined();
  expect(await reference.check(random, tolerance)).toBeUndefined();
  expect(reference.obstacle?.message).toContain('random');
});
