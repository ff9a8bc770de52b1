// A matrix of many more rows than columns, held where products with it are made: it is handed over once, block by block, and
// asked for x^T x, x b and x^T y as often as they are needed. Here in JavaScript, or by the runtime (src/runtime/tall.ts).
import { invariant } from '../base/errors.js';
import { addProduct, blockOf, flipped, multiply } from './gemm.js';
import { matrix, type Matrix } from './matrix.js';

export interface TallMatrix {
  readonly columns: number;
  /** Rows appended so far. */
  readonly rows: number;
  /** Appends whole rows, row by row in `numbers`, which the caller may write over afterwards. */
  append(numbers: Float32Array): Promise<void>;
  /** x^T x: columns x columns, summed in float64. */
  gram(): Promise<Matrix>;
  /** x b: rows x b.columns. As exact as float32. */
  times(b: Matrix): Promise<Matrix>;
  /** x^T y: columns x y.columns, of y as float32, summed in float64. */
  across(y: Matrix): Promise<Matrix>;
  /** Gives the memory back. Nothing can be asked for afterwards. */
  release(): Promise<void>;
}

/** An empty matrix of so many columns, of which some `rows` rows are expected. */
export type Hold = (columns: number, rows: number) => TallMatrix;

/** Held in this process, as float64. */
export const holdHere: Hold = (columns) => {
  let blocks: Matrix[] = [];
  let rows = 0;
  return {
    columns,
    get rows() {
      return rows;
    },
    append: async (numbers) => {
      const count = rowsIn(numbers, columns);
      blocks.push(matrix(count, columns, new Float64Array(numbers)));
      rows += count;
    },
    gram: async () => {
      const sum = matrix(columns, columns);
      for (const block of blocks) addProduct(whole(sum), flipped(whole(block)), whole(block), 1);
      return sum;
    },
    times: async (b) => {
      const result = matrix(rows, b.columns);
      let from = 0;
      for (const block of blocks) {
        result.data.set(multiply(block, b).data, from * b.columns);
        from += block.rows;
      }
      return result;
    },
    across: async (y) => {
      invariant(y.rows === rows, `${y.rows} rows against ${rows}`);
      const sum = matrix(columns, y.columns);
      let from = 0;
      for (const block of blocks) {
        addProduct(whole(sum), flipped(whole(block)), blockOf(y, from, from + block.rows, 0, y.columns), 1);
        from += block.rows;
      }
      return sum;
    },
    release: async () => {
      blocks = [];
      rows = 0;
    },
  };
};

const whole = (source: Matrix): ReturnType<typeof blockOf> => blockOf(source, 0, source.rows, 0, source.columns);

/** How many rows these numbers are. */
export function rowsIn(numbers: Float32Array, columns: number): number {
  const rows = numbers.length / columns;
  invariant(Number.isInteger(rows), `${numbers.length} numbers are no rows of ${columns}`);
  return rows;
}
