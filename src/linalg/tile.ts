// The inner loop of every product: 4 x 4 results kept in registers, both factors packed so that they are read in order.
// Without vector instructions in JavaScript this is what there is to gain: some 3 GFLOP/s against 0.5 of the plain loop.

/** Rows and columns of a tile, and numbers per step of a packed panel. */
export const TILE = 4;

/** Room for the results of one `tileProduct`: element (i, j) at 4 i + j. */
export function createTile(): Float64Array {
  return new Float64Array(TILE * TILE);
}

/**
 * out(i, j) = sum over r < depth of a(r, i) b(r, j). A panel holds 4 numbers per r: a(r, i) at `aStart + 4 r + i`.
 */
export function tileProduct(
  a: Float64Array,
  aStart: number,
  b: Float64Array,
  bStart: number,
  depth: number,
  out: Float64Array,
): void {
  let [c00, c01, c02, c03] = [0, 0, 0, 0];
  let [c10, c11, c12, c13] = [0, 0, 0, 0];
  let [c20, c21, c22, c23] = [0, 0, 0, 0];
  let [c30, c31, c32, c33] = [0, 0, 0, 0];
  for (let r = 0, p = aStart, q = bStart; r < depth; r++, p += TILE, q += TILE) {
    // One by one: a list to take them from would be made anew in every step.
    const b0 = b[q] as number;
    const b1 = b[q + 1] as number;
    const b2 = b[q + 2] as number;
    const b3 = b[q + 3] as number;
    let x = a[p] as number;
    c00 += x * b0;
    c01 += x * b1;
    c02 += x * b2;
    c03 += x * b3;
    x = a[p + 1] as number;
    c10 += x * b0;
    c11 += x * b1;
    c12 += x * b2;
    c13 += x * b3;
    x = a[p + 2] as number;
    c20 += x * b0;
    c21 += x * b1;
    c22 += x * b2;
    c23 += x * b3;
    x = a[p + 3] as number;
    c30 += x * b0;
    c31 += x * b1;
    c32 += x * b2;
    c33 += x * b3;
  }
  out[0] = c00;
  out[1] = c01;
  out[2] = c02;
  out[3] = c03;
  out[4] = c10;
  out[5] = c11;
  out[6] = c12;
  out[7] = c13;
  out[8] = c20;
  out[9] = c21;
  out[10] = c22;
  out[11] = c23;
  out[12] = c30;
  out[13] = c31;
  out[14] = c32;
  out[15] = c33;
}
