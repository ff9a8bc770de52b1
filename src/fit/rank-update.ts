// Second moments of rows that come one by one: gram += x x^T (upper triangle), cross += x y^T, energy += y^2. Rows wait in a
// packed buffer until there are enough of them for products in registers: one pass over the sums per many rows.
import { packedLength, packedRow } from '../linalg/matrix.js';
import { createTile, TILE, tileProduct } from '../linalg/tile.js';

/** Sums over rows x (`columns` numbers) and their targets y (`outputs` numbers). Plain data. */
export interface Moments {
  readonly columns: number;
  readonly outputs: number;
  /** Rows that were summed. */
  readonly rows: number;
  /** Sum of x x^T: the packed upper triangle (src/linalg/matrix.ts). */
  readonly gram: Float64Array;
  /** Sum of x y^T: columns x outputs, row-major. */
  readonly cross: Float64Array;
  /** Sum of y^2 per output. */
  readonly energy: Float64Array;
}

export class RankUpdate {
  readonly #columns: number;
  readonly #outputs: number;
  readonly #depth: number;
  readonly #left: number;
  readonly #buffer: Float64Array;
  readonly #tile = createTile();
  readonly #gram: Float64Array;
  readonly #cross: Float64Array;
  readonly #energy: Float64Array;
  #waiting = 0;
  #rows = 0;

  /** `depth`: rows that wait at most; the buffer takes 8 depth (columns + outputs) bytes. */
  constructor(columns: number, outputs: number, depth: number) {
    this.#columns = columns;
    this.#outputs = outputs;
    this.#depth = depth;
    this.#left = Math.ceil(columns / TILE);
    this.#buffer = new Float64Array((this.#left + Math.ceil(outputs / TILE)) * TILE * depth);
    this.#gram = new Float64Array(packedLength(columns));
    this.#cross = new Float64Array(columns * outputs);
    this.#energy = new Float64Array(outputs);
  }

  /**
   * Appends the row of a window: `channels` x `taps` numbers of `data` at `base + c * pitch + taps[t]` (0 where that is
   * negative), then 1.
   */
  addWindow(data: Float32Array, base: number, channels: number, pitch: number, taps: Int32Array): void {
    const [buffer, panel] = [this.#buffer, this.#depth * TILE];
    const row = this.#waiting * TILE;
    let column = 0;
    for (let c = 0, start = base; c < channels; c++, start += pitch) {
      for (let t = 0; t < taps.length; t++, column++) {
        const tap = taps[t] as number;
        buffer[(column >> 2) * panel + row + (column & 3)] = tap < 0 ? 0 : (data[start + tap] as number);
      }
    }
    buffer[(column >> 2) * panel + row + (column & 3)] = 1;
  }

  /** The targets of that row: numbers of `data` at `base + o * pitch`. */
  addTargets(data: Float32Array, base: number, pitch: number): void {
    const [buffer, panel, energy] = [this.#buffer, this.#depth * TILE, this.#energy];
    const row = this.#left * panel + this.#waiting * TILE;
    for (let o = 0, at = base; o < this.#outputs; o++, at += pitch) {
      const y = data[at] as number;
      buffer[(o >> 2) * panel + row + (o & 3)] = y;
      energy[o] = (energy[o] as number) + y * y;
    }
  }

  /** Closes the row. */
  next(): void {
    this.#rows++;
    if (++this.#waiting === this.#depth) this.#flush();
  }

  moments(): Moments {
    this.#flush();
    const { rows, gram, cross, energy } = {
      rows: this.#rows,
      gram: this.#gram,
      cross: this.#cross,
      energy: this.#energy,
    };
    return { columns: this.#columns, outputs: this.#outputs, rows, gram, cross, energy };
  }

  #flush(): void {
    if (this.#waiting === 0) return;
    const [buffer, panel, tile] = [this.#buffer, this.#depth * TILE, this.#tile];
    const panels = buffer.length / panel;
    for (let p = 0; p < this.#left; p++) {
      for (let q = p; q < panels; q++) {
        tileProduct(buffer, p * panel, buffer, q * panel, this.#waiting, tile);
        if (q < this.#left) this.#addGram(p * TILE, q * TILE);
        else this.#addCross(p * TILE, (q - this.#left) * TILE);
      }
    }
    this.#waiting = 0;
  }

  #addGram(row: number, column: number): void {
    const [gram, tile, size] = [this.#gram, this.#tile, this.#columns];
    const [rows, columns] = [Math.min(TILE, size - row), Math.min(TILE, size - column)];
    for (let i = 0; i < rows; i++) {
      const at = packedRow(size, row + i) + column;
      // On the diagonal the lower half of the tile has no place.
      for (let j = row === column ? i : 0; j < columns; j++)
        gram[at + j] = (gram[at + j] as number) + (tile[i * TILE + j] as number);
    }
  }

  #addCross(row: number, column: number): void {
    const [cross, tile] = [this.#cross, this.#tile];
    const [rows, columns] = [Math.min(TILE, this.#columns - row), Math.min(TILE, this.#outputs - column)];
    for (let i = 0; i < rows; i++) {
      const at = (row + i) * this.#outputs + column;
      for (let j = 0; j < columns; j++) cross[at + j] = (cross[at + j] as number) + (tile[i * TILE + j] as number);
    }
  }
}

/** The sums over the rows of both. */
export function mergeMoments(a: Moments, b: Moments): Moments {
  const sum = (x: Float64Array, y: Float64Array): Float64Array => x.map((value, i) => value + (y[i] ?? 0));
  const { gram, cross, energy } = {
    gram: sum(a.gram, b.gram),
    cross: sum(a.cross, b.cross),
    energy: sum(a.energy, b.energy),
  };
  return { columns: a.columns, outputs: a.outputs, rows: a.rows + b.rows, gram, cross, energy };
}
