// A run that is killed at random points and begun again each time goes on, and ends with the bytes of one that ran through
// with the same timings.
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { createRng } from '../../../src/base/rng.js';
import { ChildRun, runKilled, type Clock } from '../child-run.js';
import { writeNet } from './net.js';

const child = new ChildRun(new URL('run-child.ts', import.meta.url));
beforeAll(() => void writeNet(child.folder));

const MAX_DROP = '0.04';

/** A clock that runs out in `wait` milliseconds. */
function clock(wait: number): Clock {
  const start = performance.now();
  return () => performance.now() - start >= wait;
}

it('goes on after kill -9, and ends with the same bytes', { timeout: 300_000 }, async () => {
  const rng = createRng('kills');
  let wait = 800;
  const kills = await runKilled(child, {
    args: [MAX_DROP, 'killed.onnx', 'killed.jsonl'],
    journal: 'killed.jsonl',
    most: 12,
    clock: () => clock((wait += rng.int(400, 1000))),
    afterKill: () => expect(existsSync(join(child.folder, 'killed.onnx'))).toBe(false),
  });
  expect(kills).toBeGreaterThan(1);
  const lines = child.linesOf('killed.jsonl');
  copyFileSync(join(child.folder, 'killed.jsonl'), join(child.folder, 'through.jsonl'));
  expect(await child.run([MAX_DROP, 'through.onnx', 'through.jsonl'])).toBe(0);
  expect(child.bytes('through.onnx').equals(child.bytes('killed.onnx'))).toBe(true);
  expect(child.linesOf('through.jsonl')).toEqual(lines);
  expect(lines.filter((line) => line.includes('"score of')).length).toBeGreaterThan(1);
});
