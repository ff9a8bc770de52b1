// Tall matrices in the child process: their rows go over once, and each product sends only its other, smaller factor.
import { randomUUID } from 'node:crypto';
import { InternalError, invariant } from '../base/errors.js';
import { matrix, type Matrix } from '../linalg/matrix.js';
import { rowsIn, type Hold } from '../linalg/tall.js';
import { Tensor } from '../tensor/tensor.js';
import type { CallOptions, RuntimeHost, RuntimeLink } from './host.js';
import { BUSY_THREADS } from './machine.js';
import { acrossModel, gramModel, timesModel } from './product-models.js';
import { fromWire, toWire, type TensorMap } from './wire-tensor.js';

/** Nobody else works while a product is waited for; without the arena every block would be widened into fresh memory. */
const PRODUCTS = { arena: 'on', threads: BUSY_THREADS } as const;

interface HeldBlock {
  readonly name: string;
  readonly rows: number;
}

/** Matrices held by the child of `host`, as float32. Products reject as `RuntimeHost.run` does. */
export function runtimeHold(host: RuntimeHost, options: CallOptions = {}): Hold {
  const models = { gram: gramModel(), times: timesModel(), across: acrossModel() };
  const run = async (model: keyof typeof models, { name }: HeldBlock, feeds: TensorMap): Promise<Tensor> => {
    const result = await host.exclusive(async (link) => {
      const { session } = await link.open(models[model], PRODUCTS);
      const ask = { session, feeds: toWire(feeds), held: { x: name } };
      return fromWire(await link.ask('run', ask, models[model])).get('c');
    }, options);
    if (!result) throw new InternalError('unexpected', 'a product has no result');
    return result;
  };
  const tell = (say: (link: RuntimeLink) => Promise<undefined>): Promise<undefined> => host.exclusive(say, options);
  return (columns) => {
    const blocks: HeldBlock[] = [];
    const rows = (): number => blocks.reduce((sum, block) => sum + block.rows, 0);
    return {
      columns,
      get rows() {
        return rows();
      },
      append: async (numbers) => {
        const block = { name: randomUUID(), rows: rowsIn(numbers, columns) };
        const tensors = toWire(new Map([[block.name, float32(numbers, block.rows, columns)]]));
        await tell((link) => link.ask('hold', { tensors }, models.gram));
        blocks.push(block);
      },
      gram: async () => {
        const sum = matrix(columns, columns);
        for (const block of blocks) addTo(sum, await run('gram', block, new Map()));
        return sum;
      },
      times: async (b) => {
        const result = matrix(rows(), b.columns);
        const feeds = new Map([['b', float32(new Float32Array(b.data), b.rows, b.columns)]]);
        let from = 0;
        for (const block of blocks) {
          result.data.set((await run('times', block, feeds)).toFloat64(), from * b.columns);
          from += block.rows;
        }
        return result;
      },
      across: async (y) => {
        invariant(y.rows === rows(), `${y.rows} rows against ${rows()}`);
        const sum = matrix(columns, y.columns);
        let from = 0;
        for (const block of blocks) {
          const own = y.data.subarray(from * y.columns, (from + block.rows) * y.columns);
          const feeds = new Map([['y', float32(new Float32Array(own), block.rows, y.columns)]]);
          addTo(sum, await run('across', block, feeds));
          from += block.rows;
        }
        return sum;
      },
      release: async () => {
        const names = blocks.splice(0).map(({ name }) => name);
        if (names.length > 0) await tell((link) => link.ask('drop', { names }, models.gram));
      },
    };
  };
}

const float32 = ({ buffer, byteOffset, byteLength }: Float32Array, rows: number, columns: number): Tensor =>
  new Tensor('float32', [rows, columns], new Uint8Array(buffer, byteOffset, byteLength));

function addTo({ data }: Matrix, part: Tensor): void {
  const added = part.toFloat64();
  for (let i = 0; i < added.length; i++) data[i] = (data[i] as number) + (added[i] as number);
}
