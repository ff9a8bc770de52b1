// Products of dense matrices: here in JavaScript (some 3 GFLOP/s), or by the runtime through the port `Gemm`.
import { invariant } from '../base/errors.js';
import { matrix, type Matrix } from './matrix.js';
import { createTile, TILE, tileProduct } from './tile.js';

/** A product done elsewhere: an m x k by k x n matrix gives m x n. */
export type Gemm = (a: Matrix, b: Matrix) => Promise<Matrix>;

/** A rectangle of a larger array: element (i, j) at `offset + i * down + j * right`. */
export interface Block {
  readonly data: Float64Array;
  readonly offset: number;
  readonly down: number;
  readonly right: number;
  readonly rows: number;
  readonly columns: number;
}

/** Numbers of the inner dimension that are packed at a time: two panels of them stay in the nearest cache. */
const DEPTH = 256;

/** Rows [fromRow, toRow) and columns [fromColumn, toColumn) of a matrix, without a copy. */
export function blockOf(source: Matrix, fromRow: number, toRow: number, fromColumn: number, toColumn: number): Block {
  const { data, columns } = source;
  return {
    data,
    offset: fromRow * columns + fromColumn,
    down: columns,
    right: 1,
    rows: toRow - fromRow,
    columns: toColumn - fromColumn,
  };
}

/** The same elements with rows and columns exchanged. */
export function flipped({ data, offset, down, right, rows, columns }: Block): Block {
  return { data, offset, down: right, right: down, rows: columns, columns: rows };
}

/** a b */
export function multiply(a: Matrix, b: Matrix): Matrix {
  const result = matrix(a.rows, b.columns);
  addProduct(whole(result), whole(a), whole(b), 1);
  return result;
}

/** a b^T */
export function multiplyTransposed(a: Matrix, b: Matrix): Matrix {
  const result = matrix(a.rows, b.rows);
  addProduct(whole(result), whole(a), flipped(whole(b)), 1);
  return result;
}

const whole = (source: Matrix): Block => blockOf(source, 0, source.rows, 0, source.columns);

/** c += scale a b, in place. `c` must not overlap what is read. */
export function addProduct(c: Block, a: Block, b: Block, scale: number): void {
  const fits = a.columns === b.rows && c.rows === a.rows && c.columns === b.columns;
  invariant(fits, `${a.rows}x${a.columns} by ${b.rows}x${b.columns} is no ${c.rows}x${c.columns}`);
  const depth = Math.min(DEPTH, a.columns);
  const right = flipped(b);
  const packedA = new Float64Array(panels(a.rows) * TILE * depth);
  const packedB = new Float64Array(panels(b.columns) * TILE * depth);
  const tile = createTile();
  for (let from = 0; from < a.columns; from += depth) {
    const steps = Math.min(depth, a.columns - from);
    pack(a, from, steps, packedA);
    pack(right, from, steps, packedB);
    for (let p = 0; p * TILE < c.rows; p++) {
      for (let q = 0; q * TILE < c.columns; q++) {
        tileProduct(packedA, p * TILE * steps, packedB, q * TILE * steps, steps, tile);
        addTile(c, p * TILE, q * TILE, tile, scale);
      }
    }
  }
}

const panels = (count: number): number => Math.ceil(count / TILE);

/** Columns [from, from + steps) of `source`, four rows to a panel; rows that a last panel lacks are zero. */
function pack(source: Block, from: number, steps: number, out: Float64Array): void {
  const { data, offset, down, right, rows } = source;
  for (let i = 0; i < panels(rows) * TILE; i++) {
    let to = (i - (i % TILE)) * steps + (i % TILE);
    let at = offset + i * down + from * right;
    for (let r = 0; r < steps; r++, to += TILE, at += right) out[to] = i < rows ? (data[at] as number) : 0;
  }
}

function addTile(c: Block, row: number, column: number, tile: Float64Array, scale: number): void {
  const rows = Math.min(TILE, c.rows - row);
  const columns = Math.min(TILE, c.columns - column);
  for (let i = 0; i < rows; i++) {
    let at = c.offset + (row + i) * c.down + column * c.right;
    for (let j = 0; j < columns; j++, at += c.right)
      c.data[at] = (c.data[at] as number) + scale * (tile[i * TILE + j] as number);
  }
}
