// The same model, recipe and seed give the same bytes: whatever the threads, the clock and the run before.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { timePair } from '../../src/pipeline/measure.js';
import { slim, type SlimRequest } from '../../src/pipeline/slim.js';
import { fixture, SlimFolder } from './slim-case.js';
import { timedPair } from './timings.js';

let folder: SlimFolder;
beforeAll(async () => {
  folder = await SlimFolder.create();
});
afterAll(() => folder.dispose());
afterEach(() => vi.restoreAllMocks());

const MODELS = ['residual-net', 'functions', 'hard-swish-pieces'];

async function bytesOf(
  request: SlimRequest,
): Promise<{ readonly bytes: Buffer; readonly rewrites: readonly string[] }> {
  const { outcome, written } = await folder.slim(request);
  expect(outcome.checked.verdict).toBe('agrees');
  return { bytes: readFileSync(written), rewrites: outcome.log.rewrites.map(({ pass, site }) => `${pass}@${site}`) };
}

describe.each(MODELS)('%s', (name) => {
  const input = fixture(`small/${name}.onnx`);

  it('gives the same bytes twice, with more threads, and with a clock that leaps', async () => {
    const first = await bytesOf(folder.request(input));
    expect(await bytesOf(folder.request(input, { threads: 3 }))).toEqual(first);
    const clock = performance.now.bind(performance);
    let leaps = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => clock() + 1000 * leaps++);
    expect(await bytesOf(folder.request(input))).toEqual(first);
    expect(leaps).toBeGreaterThan(10);
  });

  it('gives the same bytes checked at the end, not at all, and from bytes', async () => {
    const first = await bytesOf(folder.request(input));
    const unchecked = await folder.slim(folder.request(input, { verify: 'off' }));
    expect(readFileSync(unchecked.written).equals(first.bytes)).toBe(true);
    const piped = folder.request(input, { input: { bytes: readFileSync(input), name: 'stdin' } });
    expect((await bytesOf(piped)).bytes.equals(first.bytes)).toBe(true);
  });

  it('is left alone by a second run', async () => {
    const { written } = await folder.slim(folder.request(input));
    const again = await folder.slim(folder.request(written, { output: folder.file('again.onnx') }));
    expect(again.outcome.log.rewrites).toEqual([]);
    expect(readFileSync(again.written).equals(readFileSync(written))).toBe(true);
  });
});

it('gives the same bytes when timings are the same, though the passes run again and again for them', async () => {
  // Timed slower at first and no different when it is timed again: everything is kept.
  const request = folder.request(fixture('mnist-bn-as-exported.onnx'), { measure: 'on' });
  const run = async (verdicts: readonly ('slower' | 'no-difference')[]): Promise<Buffer> => {
    const left = [...verdicts];
    const time: typeof timePair = async () => timedPair(left.shift() ?? 'no-difference');
    const outcome = await slim(request, { time });
    const bytes = readFileSync(outcome.path);
    await outcome.dispose();
    return bytes;
  };
  const calm = await run([]);
  expect((await run(['slower', 'no-difference'])).equals(calm)).toBe(true);
  const { bytes } = await bytesOf(folder.request(fixture('mnist-bn-as-exported.onnx')));
  expect(calm.equals(bytes)).toBe(true);
});
