// DropNet's loop, killed at random points and begun again each time, goes on, and ends with the bytes of one that ran through.
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { createRng } from '../../../src/base/rng.js';
import { ChildRun, runKilled, type Clock } from '../child-run.js';
import { writeNet } from '../quantization/net.js';

const child = new ChildRun(new URL('run-child.ts', import.meta.url));
beforeAll(() => void writeNet(child.folder));

/** A clock that runs out `wait` milliseconds after the journal has come two steps further than now. */
function clock(journal: string, wait: number): Clock {
  const before = child.linesOf(journal).length;
  let grown: number | undefined;
  return () => {
    if (child.linesOf(journal).length >= before + 2) grown ??= performance.now();
    return grown !== undefined && performance.now() - grown >= wait;
  };
}

it('goes on after kill -9, and ends with the same bytes', { timeout: 600_000 }, async () => {
  const rng = createRng('kills');
  const kills = await runKilled(child, {
    args: ['killed.onnx', 'killed.jsonl'],
    journal: 'killed.jsonl',
    most: 6,
    clock: () => clock('killed.jsonl', rng.int(0, 300)),
  });
  expect(kills).toBeGreaterThan(1);
  const lines = child.linesOf('killed.jsonl');
  expect(lines.filter((line) => line.includes('"step":"cycle')).length).toBeGreaterThan(2);
  const killed = child.bytes('killed.onnx');
  // Neither the best so far nor the files of cycles stay behind.
  expect(readdirSync(child.folder).filter((name) => /cycle|best/.test(name))).toEqual([]);
  // With the journal alone everything is made again as it was decided.
  copyFileSync(join(child.folder, 'killed.jsonl'), join(child.folder, 'again.jsonl'));
  expect(await child.run(['again.onnx', 'again.jsonl'])).toBe(0);
  expect(child.bytes('again.onnx').equals(killed)).toBe(true);
  expect(child.linesOf('again.jsonl')).toEqual(lines);
  // And without it, decided again.
  expect(await child.run(['through.onnx', 'through.jsonl'])).toBe(0);
  expect(child.bytes('through.onnx').equals(killed)).toBe(true);
});
