// What the bench of dense algebra measures. A case: `make`, the matrix; `work`, what is timed; `bar`, times numpy's processor time (with `peer`,
// numpy's operation) or processor seconds; `error`, of the result, and what it must stay below.
import { createRng } from '../../dist/base/rng.js';
import { symmetricEigenWith } from '../../dist/linalg/eigen.js';
import { matrix } from '../../dist/linalg/matrix.js';
import { randomizedSvdWith } from '../../dist/linalg/randomized.js';
import { gramSvdWith } from '../../dist/linalg/svd.js';

function random(rows, columns, seed) {
  const rng = createRng(seed);
  return matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => rng.normal()),
  );
}

function symmetric(size) {
  const { data } = random(size, size, 'symmetric');
  const result = matrix(size, size);
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++) result.data[i * size + j] = data[i * size + j] + data[j * size + i];
  return result;
}

const largest = (values) => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

/** The largest error of a value as part of the largest value of numpy. */
const againstPeer = ({ values }, peer) => largest(values.map((x, i) => x - peer.values[i])) / largest(peer.values);

/** A product of rank 300, values falling from 1 to 0.001 of the largest, and what has no rank below it. */
function falling(size) {
  const [left, right, noise] = [random(size, 300, 'left'), random(300, size, 'right'), random(size, size, 'noise')];
  for (let k = 0; k < 300; k++) {
    const factor = 10 ** (-k / 100);
    for (let i = 0; i < size; i++) left.data[i * 300 + k] *= factor;
  }
  return { left, right, noise };
}

async function fallingProduct(size, gemm) {
  const { left, right, noise } = falling(size);
  const product = await gemm(left, right);
  return matrix(
    size,
    size,
    product.data.map((x, i) => x + 1e-3 * noise.data[i]),
  );
}

/** How far U, V and the values are from A V = U diag(values), as part of the largest value. */
async function residual({ u, values, vt }, a, gemm) {
  const transposed = matrix(vt.columns, vt.rows);
  for (let i = 0; i < vt.rows; i++)
    for (let j = 0; j < vt.columns; j++) transposed.data[j * vt.rows + i] = vt.data[i * vt.columns + j];
  const image = await gemm(a, transposed);
  let sum = 0;
  for (const [i, x] of image.data.entries()) sum += (x - u.data[i] * values[i % values.length]) ** 2;
  return Math.sqrt(sum) / Math.sqrt(values.reduce((all, x) => all + x * x, 0));
}

const truncated = (rank) => ({
  name: `truncated SVD, 512x4608, rank ${rank}`,
  make: () => random(512, 4608, 'kernel'),
  work: (gemm, a) => gramSvdWith(gemm, a, { rank }),
  peer: 'svd',
  bar: 2,
  error: againstPeer,
  allowed: 1e-10,
});

export const cases = [
  truncated(64),
  truncated(256),
  {
    name: 'symmetric eigen, 1024',
    make: () => symmetric(1024),
    work: (gemm, a) => symmetricEigenWith(gemm, a),
    peer: 'eigh',
    bar: 10,
    error: againstPeer,
    allowed: 1e-12,
  },
  {
    name: 'randomized SVD, 4096x4096, rank 256',
    make: (gemm) => fallingProduct(4096, gemm),
    work: (gemm, a) => randomizedSvdWith(gemm, a, { rank: 256, rng: createRng('sketch') }),
    bar: 4,
    error: residual,
    allowed: 0.01,
  },
];
