// `mcompress calibrate` on the digits of the fixtures: caches, shards, merging, guesses, errors.
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readCalibration } from '../../src/pipeline/calibration/cache.js';
import type { CalibrateReport } from '../../src/report/calibrate-report.js';
import { parseReport } from '../../src/report/json.js';
import { fixture, mcompress, mcompressJson, widest } from './run-program.js';
import { useScratch } from './scratch.js';

const scratch = useScratch();
const MNIST = fixture('mnist-bn-as-exported.onnx');
const DATA = ['--data', fixture('mnist-300'), '--preprocess', 'raw'];

it('writes a cache beside the model, and says what it saw', async () => {
  scratch.copy('mnist-bn-as-exported.onnx', 'digits.onnx');
  const { status, stdout, stderr } = await mcompress(['calibrate', scratch.path('digits.onnx'), ...DATA]);
  expect([status, stderr]).toEqual([0, '']);
  expect(scratch.files()).toEqual(['digits.calibration.json', 'digits.onnx']);
  expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(/Calibrated: \d+ values written to digits\.calibration\.json/);
  expect(widest(stdout)).toBeLessThanOrEqual(80);
  const cache = readCalibration(readFileSync(scratch.path('digits.calibration.json'), 'utf8'), 'c');
  expect(cache).toMatchObject({ samples: 300, data: { order: 'stored', total: 300 }, parts: [{ from: 0, to: 300 }] });
  // 0..255 as stored, and every image has both.
  expect(cache.values.get('image')).toMatchObject({ min: 0, max: 255, elements: 300 * 784 });
});

it('in shards, merged, gives the bytes of one run', async () => {
  const draw = [...DATA, '--limit', '40', '--seed', '5'];
  const run = async (...args: readonly string[]): Promise<void> => {
    expect(await mcompress(['calibrate', ...args, '-q'])).toMatchObject({ status: 0, stdout: '', stderr: '' });
  };
  const [one, two, all, whole] = ['1.json', '2.json.gz', 'all.json', 'whole.json'].map(scratch.path) as [
    string,
    string,
    string,
    string,
  ];
  await run(MNIST, ...draw, '-o', whole);
  await run(MNIST, ...draw, '--shard', '1/2', '-o', one);
  await run(MNIST, ...draw, '--shard', '2/2', '-o', two);
  await run('--merge', two, one, '-o', all);
  expect(readFileSync(all, 'utf8')).toBe(readFileSync(whole, 'utf8'));
  const again = await mcompress(['calibrate', '--merge', all, one, '-o', scratch.path('x.json')]);
  expect([again.status, again.stderr]).toEqual([3, expect.stringContaining('cannot be merged')]);
});

it('writes every form of the report, and the cache to stdout', async () => {
  const files = ['r.json', 'r.md', 'r.html'].map(scratch.path);
  const flags = files.flatMap((name) => ['--report', name]);
  const { status, stdout } = await mcompress(['calibrate', MNIST, ...DATA, '--limit', '3', '-o', '-', ...flags]);
  expect(status).toBe(0);
  expect(readCalibration(stdout, 'stdout').samples).toBe(3);
  const [json = '', markdown = '', html = ''] = files.map((name) => readFileSync(name, 'utf8'));
  const report = parseReport(json, 'calibrate', 'r.json');
  expect(report.values[0]).toMatchObject({
    name: 'image',
    ranges: expect.arrayContaining([{ calibrator: 'min-max', min: 0, max: 255 }]),
  });
  expect(report.normalization?.nodes).toHaveLength(5);
  expect(markdown).toContain('- Samples: **3**');
  expect(html).toContain('percentile-99.99');
});

it('guesses without data, and says so where nobody reads the report too', async () => {
  const out = scratch.path('c.json');
  const report = await mcompressJson<CalibrateReport>(['calibrate', MNIST, '--data-free', '-o', out]);
  expect(report.data).toMatchObject({ kind: 'none', samples: 16 });
  const quiet = await mcompress(['calibrate', MNIST, '--data-free', '-q', '-o', out]);
  expect([quiet.status, quiet.stdout]).toEqual([0, '']);
  expect(quiet.stderr).toContain('NO DATA');
});

it('warns about samples that are not what the model was trained on', async () => {
  const { stdout } = await mcompress([
    ...['calibrate', MNIST, '--data', fixture('mnist-300'), '--preprocess', 'unit', '--limit', '40'],
    ...['-o', scratch.path('c.json')],
  ]);
  expect(stdout.replaceAll(/\s+/g, ' ')).toContain('not what the model was trained on');
});

it.each([
  ['without data', [MNIST], 2, 'no-input', '--data-free'],
  ['data and none', [MNIST, ...DATA, '--data-free'], 2, 'conflict', 'leave one'],
  ['two models', [MNIST, MNIST, ...DATA], 2, 'conflict', '--merge'],
  ['a shard that is none', [MNIST, ...DATA, '--shard', '3/2'], 2, 'bad-value', 'I/N'],
  ['a shard of nothing', [MNIST, '--data-free', '--shard', '1/2'], 2, 'conflict', '--data PATH'],
  ['more shards than samples', [MNIST, ...DATA, '--limit', '2', '--shard', '1/3'], 2, 'bad-value', 'fewer'],
  ['merging into nothing', ['--merge', 'a', 'b'], 2, 'no-input', '-o'],
  ['merging one', ['--merge', 'a', '-o', 'c'], 2, 'no-input', 'two caches'],
  ['merging with data', ['--merge', 'a', 'b', '-o', 'c', ...DATA], 2, 'conflict', '--merge'],
  ['merging what is not there', ['--merge', 'a.json', 'b.json', '-o', 'c'], 3, 'not-found', 'a.json'],
  ['both on stdout', [MNIST, ...DATA, '-o', '-', '--json'], 2, 'conflict', 'name a file'],
  ['a model that is none', [fixture('mnist-300/labels-idx1-ubyte'), ...DATA], 3, 'not-onnx', ''],
])('refuses %s', async (_, args, status, code, says) => {
  const ended = await mcompress(['calibrate', ...args], { cwd: scratch.folder });
  expect(ended).toMatchObject({ status, stdout: '' });
  expect(ended.stderr).toContain(`error[${code}]`);
  expect(ended.stderr).toContain(says);
  expect(scratch.files()).toEqual([]);
});

it('refuses a cache that is none', async () => {
  writeFileSync(scratch.path('a.json'), '{}');
  const ended = await mcompress(['calibrate', '--merge', 'a.json', 'a.json', '-o', 'c.json'], { cwd: scratch.folder });
  expect([ended.status, ended.stderr]).toEqual([3, expect.stringContaining('no calibration cache')]);
});
