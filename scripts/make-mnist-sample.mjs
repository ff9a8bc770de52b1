// `node scripts/make-mnist-sample.mjs MNIST_FOLDER`: writes fixtures/mnist-300 from the idx files of the MNIST test set, the
// first 30 images of every digit in their original order. The result is committed; this is how it was made.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './prepare.mjs';

const PER_DIGIT = 30;
const DIGITS = 10;

/** The data of an idx file of unsigned bytes, and its dimensions. */
function readIdx(file, rank) {
  const bytes = readFileSync(file);
  if (bytes.readUInt32BE(0) !== 0x800 + rank)
    throw new Error(`${file} is not an idx file of bytes with ${rank} dimensions`);
  const dims = Array.from({ length: rank }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const data = bytes.subarray(4 + 4 * rank);
  if (data.length !== dims.reduce((a, b) => a * b, 1)) throw new Error(`${file} is cut off`);
  return { dims, data };
}

function writeIdx(file, dims, chunks) {
  const head = Buffer.alloc(4 + 4 * dims.length);
  head.writeUInt32BE(0x800 + dims.length, 0);
  dims.forEach((dim, i) => head.writeUInt32BE(dim, 4 + 4 * i));
  const bytes = Buffer.concat([head, ...chunks]);
  writeFileSync(file, bytes);
  console.log(`${createHash('sha256').update(bytes).digest('hex')}  ${file}`);
}

const source = process.argv[2];
if (source === undefined) {
  console.error('usage: node scripts/make-mnist-sample.mjs MNIST_FOLDER');
  process.exit(2);
}
const images = readIdx(join(source, 't10k-images-idx3-ubyte'), 3);
const labels = readIdx(join(source, 't10k-labels-idx1-ubyte'), 1);
const [, rows, columns] = images.dims;
const taken = Array.from({ length: DIGITS }, () => 0);
const chosen = [...labels.data.keys()].filter((index) => taken[labels.data[index]]++ < PER_DIGIT);

const target = join(root, 'fixtures/mnist-300');
mkdirSync(target, { recursive: true });
const pixels = rows * columns;
writeIdx(
  join(target, 'images-idx3-ubyte'),
  [chosen.length, rows, columns],
  chosen.map((i) => images.data.subarray(i * pixels, (i + 1) * pixels)),
);
writeIdx(
  join(target, 'labels-idx1-ubyte'),
  [chosen.length],
  chosen.map((i) => labels.data.subarray(i, i + 1)),
);
