// fixtures/README.md is complete and true: every file is listed, hashes are right, models run where it says so, and the
// trained model gets the labelled digits right. Later tests stand on this.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { packageFolder } from './tracked-files.js';

const folder = join(packageFolder, 'fixtures');
const readme = readFileSync(join(folder, 'README.md'), 'utf8');
const rows = [...readme.matchAll(/^\| (\S+\.onnx) \| .* \| (yes|no) \|$/gm)].map((match) => ({
  file: match[1] ?? '',
  runs: match[2] === 'yes',
}));
const options = { logSeverityLevel: 4, intraOpNumThreads: 1 } as const;

/** The data of an idx file of unsigned bytes. */
function readIdx(name: string, rank: number): Uint8Array {
  const bytes = readFileSync(join(folder, 'mnist-300', name));
  expect(bytes.readUInt32BE(0)).toBe(0x800 + rank);
  return bytes.subarray(4 + 4 * rank);
}

describe('fixtures', () => {
  it('lists every small model, in order', () => {
    const files = readdirSync(join(folder, 'small')).filter((file) => file.endsWith('.onnx'));
    expect(rows.map(({ file }) => file)).toEqual(files.toSorted());
  });

  it('gives the right hashes of the trained models', () => {
    const hashes = [...readme.matchAll(/^([0-9a-f]{64}) {2}(\S+)$/gm)];
    expect(hashes.map((match) => match[2]).toSorted()).toEqual(
      readdirSync(folder)
        .filter((file) => file.endsWith('.onnx'))
        .toSorted(),
    );
    for (const [, hash, file] of hashes)
      expect(
        createHash('sha256')
          .update(readFileSync(join(folder, file ?? '')))
          .digest('hex'),
      ).toBe(hash);
  });

  it.each(rows)('$file runs as it says: $runs', async ({ file, runs }) => {
    const loaded = await ort.InferenceSession.create(join(folder, 'small', file), options).then(
      () => true,
      () => false,
    );
    expect(loaded).toBe(runs);
  });

  it('has digits that the trained model reads', async () => {
    const pixels = readIdx('images-idx3-ubyte', 3);
    const labels = readIdx('labels-idx1-ubyte', 1);
    const session = await ort.InferenceSession.create(join(folder, 'mnist-bn-as-exported.onnx'), options);
    const { logits } = await session.run({
      image: new ort.Tensor('float32', Float32Array.from(pixels), [labels.length, 1, 28, 28]),
    });
    const scores = logits?.data as Float32Array;
    const right = [...labels].filter((label, index) => {
      const row = scores.subarray(10 * index, 10 * index + 10);
      return row.indexOf(Math.max(...row)) === label;
    });
    expect([labels.length, right.length]).toEqual([300, 299]);
  });
});
