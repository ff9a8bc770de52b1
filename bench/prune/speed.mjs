// How much faster a pruned model is: both run in turn in one child process, one thread, on a real image, by processor time.
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { compareLatency } from '../../dist/runtime/latency.js';
import { Tensor } from '../../dist/tensor/tensor.js';
import { readHeader } from '../quantize/npy.mjs';

/** The first image of a case, as feeds. */
export function firstImage({ folder, input }) {
  const file = openSync(join(folder, 'images.npy'), 'r');
  const { shape, start } = readHeader(file);
  const dims = [1, ...shape.slice(1)];
  const values = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
  readSync(file, new Uint8Array(values.buffer), 0, values.byteLength, start);
  closeSync(file);
  return new Map([[input, Tensor.fromNumbers('float32', dims, values)]]);
}

/** How many times as fast as the original, with the 95 % interval. */
export async function speedUp(host, one, path, { seconds }) {
  const feeds = firstImage(one);
  const timed = await compareLatency(host, one.file, path, feeds, { budget: 1000 * seconds, precision: 0.004 });
  const { value, low, high } = timed.cpu;
  return {
    value: 1 / value,
    low: 1 / high,
    high: 1 / low,
    before: timed.before.cpu.p50,
    after: timed.after.cpu.p50,
    rounds: timed.rounds,
    cpuShare: timed.cpuShare,
  };
}
