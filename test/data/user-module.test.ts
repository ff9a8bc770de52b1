// Modules of the user: the forms of their export, and what is said about those that do not work.
import { describe, expect, it } from 'vitest';
import { openData, type DataOptions } from '../../src/data/open-data.js';
import { parsePreprocess } from '../../src/data/preprocess.js';
import { collect, failure, port, useDataFolder, valuesOf } from './sample-files.js';

const folder = useDataFolder();
const open = (code: string, options: Partial<DataOptions> = {}) =>
  openData(folder.write('samples.mjs', code), { inputs: [port(['n', 2])], ...options });

const YIELDS = `
  for (let i = 0; i < 4; i++) yield { input: { data: Float32Array.of(i, -i), dims: [1, 2] }, label: i % 2 };
`;

describe('a module', () => {
  it.each([
    ['an async generator function', `export async function* samples() { ${YIELDS} }`],
    ['a generator function by default', `export default function* () { ${YIELDS} }`],
    ['a function that returns a list', `export const samples = () => [...(function* () { ${YIELDS} })()];`],
    ['an async function', `export const samples = async () => [...(function* () { ${YIELDS} })()];`],
    ['a list', `export const samples = [...(function* () { ${YIELDS} })()];`],
    ['an iterable', `export const samples = { async *[Symbol.asyncIterator]() { ${YIELDS} } };`],
  ])('may export %s', async (_, code) => {
    const data = await open(code);
    expect(data).toMatchObject({ kind: 'module', size: undefined, labelled: true, labelsFrom: 'the module' });
    const samples = await collect(data);
    expect(samples.map((sample) => [sample.name, sample.label, valuesOf(sample)[0]])).toEqual([
      ['samples.mjs#0', 0, 0],
      ['samples.mjs#1', 1, 1],
      ['samples.mjs#2', 0, 2],
      ['samples.mjs#3', 1, 3],
    ]);
    expect(await collect(data, { from: 1, to: 3 })).toHaveLength(2);
    expect(await collect(data)).toHaveLength(4);
  });

  it('may feed several inputs, by an object or a map, with arrays of any type', async () => {
    const inputs = [port(['n', 2], 'a'), { name: 'b', dtype: 'int64', dims: ['n'] } as const];
    const array = (values: string): string => `{ data: ${values}, dims: [1] }`;
    const samples = await collect(
      await open(
        `export const samples = [
          { name: 'first', feeds: { a: { data: [1, 2], dims: [2] }, b: ${array('BigInt64Array.of(7n)')} } },
          { feeds: new Map([['b', ${array('[8]')}], ['a', { data: Float64Array.of(3, 4), dims: [2] }]]) },
        ];`,
        { inputs },
      ),
    );
    expect(samples.map(({ name, feeds }) => [name, feeds.get('a')?.toNumbers(), feeds.get('b')?.toBigInts()])).toEqual([
      ['first', [1, 2], [7n]],
      ['samples.mjs#1', [3, 4], [8n]],
    ]);
    expect(samples[0]?.label).toBeUndefined();
  });

  it('may yield pictures as bytes, is told the inputs, and may fill one array again and again', async () => {
    const code = `
      export function* samples({ inputs }) {
        const data = new Uint8Array(12);
        for (let i = 0; i < 2; i++) yield { input: { data: data.fill(i + inputs.length), dims: [2, 2, 3] } };
      }`;
    const data = await open(code, { inputs: [port([1, 3, 2, 2])], preprocess: parsePreprocess('tf') });
    const samples = await collect(data);
    expect(samples.map((sample) => valuesOf(sample)[0])).toEqual([1, 2].map((v) => Math.fround(v / 127.5 - 1)));
    expect(data.labelled).toBe(false);
  });

  it.each([
    ['export const other = 1;', /does not export samples/],
    ['export const samples = 3;', /no list of samples/],
    ['export const samples = (function* () {})();', /once only/],
    ['this is no code', /cannot be loaded/],
    ['throw new Error("no data today");', /cannot be loaded: no data today/],
    ['export function* samples() { throw new Error("no data today"); }', /failed: no data today/],
    ['export const samples = [3];', /input of the sample is no array/],
    ['export const samples = [{ input: [1, 2] }];', /no array with dims/],
    ['export const samples = [{ input: { data: [1], dims: [2] } }];', /2 elements, the array has 1/],
    ['export const samples = [{ input: { data: [1, 2], dims: [2] }, label: "cat" }];', /label is "cat"/],
    ['export const samples = [{ input: { data: [1, 2], dims: [2] }, label: -1 }];', /label is -1/],
  ])('is refused: %s', async (code, why) => {
    const error = await failure(open(code).then(collect));
    expect(error).toMatchObject({ code: 'bad-data', exitCode: 3 });
    expect(error.message).toMatch(why);
  });

  it('skips samples of another shape', async () => {
    const data = await open(
      `export const samples = [[1, 2], [1, 2, 3]].map((data) => ({ input: { data, dims: [data.length] } }));`,
    );
    expect(await collect(data)).toHaveLength(1);
    expect(data.skipped).toHaveLength(1);
  });
});
