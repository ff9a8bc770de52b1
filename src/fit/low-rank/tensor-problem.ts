// What every scheme solves: rows W of a kernel (outputs x channels x taps) are to be met by a chain's rows K such that
// tr((W - K) G (W - K)^T) is small. G: the identity, or the covariance of the patches.
import { symmetricEigenWith, type SymmetricEigen } from '../../linalg/eigen.js';
import { multiply, type Gemm } from '../../linalg/gemm.js';
import { matrix, transpose, type Matrix } from '../../linalg/matrix.js';

export interface TensorSizes {
  readonly channels: number;
  readonly outputs: number;
  /** Kernel positions, and along each axis. */
  readonly taps: number;
  readonly kernel: readonly number[];
}

/** Multiplications from which on a product is worth the way to the runtime. */
const HEAVY = 4e7;

export class TensorProblem {
  readonly sizes: TensorSizes;
  /** Outputs x (channels x taps). */
  readonly rows: Matrix;
  /** Undefined for the identity. */
  readonly gram: Matrix | undefined;
  readonly #gemm: Gemm | undefined;
  #weighted: Promise<Matrix> | undefined;
  #outputGram: Promise<Matrix> | undefined;
  #outputEigen: Promise<SymmetricEigen | undefined> | undefined;

  /** `gemm`: for heavy products. */
  constructor(sizes: TensorSizes, rows: Matrix, gram?: Matrix, gemm?: Gemm) {
    this.sizes = sizes;
    this.rows = rows;
    this.gram = gram;
    this.#gemm = gemm;
  }

  /** The same rows with their columns taken apart otherwise. */
  regrouped(sizes: TensorSizes): TensorProblem {
    const other = new TensorProblem(sizes, this.rows, this.gram, this.#gemm);
    other.#weighted = this.weighted();
    other.#outputGram = this.outputGram();
    other.#outputEigen = this.#outputEigen;
    return other;
  }

  /** A problem of other rows whose heavy products are made in the same place. */
  derived(sizes: TensorSizes, rows: Matrix, gram?: Matrix): TensorProblem {
    return new TensorProblem(sizes, rows, gram, this.#gemm);
  }

  async product(a: Matrix, b: Matrix): Promise<Matrix> {
    const isHeavy = a.rows * a.columns * b.columns >= HEAVY;
    return this.#gemm && isHeavy ? this.#gemm(a, b) : multiply(a, b);
  }

  /** Rows over (channels x taps) as rows over (R x taps), by a matrix R x channels. */
  async mapChannels(rows: Matrix, a: Matrix): Promise<Matrix> {
    const { taps } = this.sizes;
    const across = transpose(rows);
    const mapped = await this.product(a, matrix(a.columns, taps * rows.rows, across.data));
    return transpose(matrix(a.rows * taps, rows.rows, mapped.data));
  }

  /** Eigenvectors of a symmetric matrix, the first `count` of them; undefined where numbers are not finite. */
  eigen(a: Matrix, count = a.rows): Promise<SymmetricEigen | undefined> {
    return symmetricEigenWith((left, right) => this.product(left, right), a, { count });
  }

  /** K G. The rows themselves, not a copy, where G is the identity. */
  async timesGram(rows: Matrix): Promise<Matrix> {
    return this.gram ? this.product(rows, this.gram) : rows;
  }

  /** W G. */
  weighted(): Promise<Matrix> {
    return (this.#weighted ??= this.timesGram(this.rows));
  }

  /** W G W^T. */
  outputGram(): Promise<Matrix> {
    return (this.#outputGram ??= this.weighted().then((weighted) => this.product(weighted, transpose(this.rows))));
  }

  /** Of W G W^T; undefined where numbers are not finite. */
  outputEigen(): Promise<SymmetricEigen | undefined> {
    return (this.#outputEigen ??= this.outputGram().then((gram) => this.eigen(gram)));
  }

  /** tr(W G W^T). */
  async energy(): Promise<number> {
    const { rows: n, data } = await this.outputGram();
    let sum = 0;
    for (let i = 0; i < n; i++) sum += data[i * n + i] as number;
    return sum;
  }

  /** tr((W - K) G (W - K)^T). */
  async error(rows: Matrix): Promise<number> {
    const change = matrix(
      rows.rows,
      rows.columns,
      this.rows.data.map((value, i) => value - (rows.data[i] as number)),
    );
    const weighted = await this.timesGram(change);
    let sum = 0;
    for (let i = 0; i < change.data.length; i++) sum += (weighted.data[i] as number) * (change.data[i] as number);
    return Math.max(0, sum);
  }
}
