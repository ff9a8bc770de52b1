// Folders that a run leaves behind when it finds a defect: the command of their README shows the defect again.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { main } from '../../src/cli/main.js';
import { parsePass } from '../../src/pipeline/recipe.js';
import { SlimFolder } from './slim-case.js';

// The registry holds a pass of the same name with an option that makes it wrong, so that recipes can name it.
vi.mock('../../src/passes/exact/merge-clips.js', async () => {
  const { flag } = await import('../../src/base/option.js');
  const { defineLocalPass } = await import('../../src/passes/pass.js');
  const { becomes, growsForever } = await import('./wrong-passes.js');
  const mergeClips = defineLocalPass({
    name: 'merge-clips',
    category: 'exact',
    exactness: 'rounding',
    needs: [],
    summary: 'wrong when asked',
    details: 'wrong',
    options: {
      wrong: flag({ default: false, help: 'Relu becomes Abs' }),
      endless: flag({ default: false, help: 'never ends' }),
    },
    declines: {},
    stats: {},
    roots: ['Relu'],
    rewrite: (node, { options }) =>
      options.endless ? growsForever(node) : options.wrong && node.output?.name === 'r1' && becomes('Abs')(node),
  });
  return { mergeClips };
});

const NET = `
net (float[N,C] x) => (float[N,C] y, float[N,C] z) <float one = {1}> {
  i = Identity (x)
  s = Sub (i, one)
  r1 = Relu (s)
  y = Tanh (r1)
  j = Identity (i)
  z = Relu (j)
}`;

let folder: SlimFolder;
const home = process.cwd();
beforeAll(async () => {
  folder = await SlimFolder.create();
});
afterAll(() => folder.dispose());
afterEach(() => {
  process.chdir(home);
  vi.restoreAllMocks();
});

/** Runs the command of a README where it stands, as a shell reads it. Returns the exit status and what was printed. */
async function follow(reproducer: string): Promise<{ readonly status: number; readonly said: string }> {
  const command = /```\n(.*)\n```/.exec(readFileSync(join(reproducer, 'README.md'), 'utf8'))?.[1] ?? '';
  const words = execFileSync('sh', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8' })
    .trimEnd()
    .split('\n');
  expect(words[0]).toBe('mcompress');
  process.chdir(reproducer);
  const said: unknown[] = [];
  const listen = (text: unknown): boolean => said.push(text) > 0;
  for (const stream of [process.stdout, process.stderr]) vi.spyOn(stream, 'write').mockImplementation(listen);
  const status = await main(words.slice(1));
  vi.restoreAllMocks();
  process.chdir(home);
  return { status, said: said.join('') };
}

const recipe = (...passes: readonly string[]) => ({ freeze: {}, opset: undefined, passes: passes.map(parsePass) });

describe.each(['end', 'each'] as const)('checking at "%s"', (verify) => {
  it('keeps the graph before the wrong rewrite, and a command that shows it', async () => {
    const input = await folder.model(`wrong-${verify}.onnx`, NET);
    const { outcome } = await folder.slim(
      folder.request(input, { verify, recipe: recipe('remove-identity', 'merge-clips:wrong=true'), seed: 7 }),
    );
    const [undone] = outcome.checked.undone;
    const reproducer = undone?.reproducer ?? '';
    expect(dirname(reproducer)).toBe(folder.path);
    expect(readdirSync(reproducer).sort()).toEqual(['README.md', 'before.onnx', 'recipe.json']);
    expect(readFileSync(join(reproducer, 'README.md'), 'utf8')).toContain('merge-clips was wrong at r1');
    const { status, said } = await follow(reproducer);
    expect(status).toBe(1);
    expect(said).toMatch(/merge-clips/);
    expect(existsSync(join(reproducer, 'before.slim.onnx'))).toBe(false);
  });
});

it('carries shapes and feeds over, quoted for a shell', async () => {
  const input = await folder.model('fed.onnx', NET);
  writeFileSync(folder.file("it's x.npy"), npyRow([0.5, -3, 2]));
  const { outcome } = await folder.slim(
    folder.request(input, {
      recipe: recipe('merge-clips:wrong=true'),
      shapes: new Map([['x', [1, 3]]]),
      feeds: [`x=${folder.file("it's x.npy")}`],
    }),
  );
  const reproducer = outcome.checked.undone[0]?.reproducer ?? '';
  expect(readdirSync(reproducer)).toContain("feed-0-it's x.npy");
  expect((await follow(reproducer)).status).toBe(1);
});

it('writes none where there is no output', async () => {
  const input = await folder.model('dry.onnx', NET);
  const before = readdirSync(folder.path);
  const { slim } = await import('../../src/pipeline/slim.js');
  const outcome = await slim(folder.request(input, { output: undefined, recipe: recipe('merge-clips:wrong=true') }));
  await outcome.dispose();
  expect(outcome.checked.undone).toMatchObject([{ reproducer: undefined }]);
  expect(readdirSync(folder.path)).toEqual(before);
});

it('keeps the start of a run that ends in an internal error, and the old output', async () => {
  const input = await folder.model('endless.onnx', NET);
  const request = folder.request(input, { recipe: recipe('remove-identity', 'merge-clips:endless=true') });
  writeFileSync(request.output ?? '', 'old');
  await expect(folder.slim(request)).rejects.toMatchObject({
    code: 'invariant',
    exitCode: 4,
    message: expect.stringContaining('rewrites do not end'),
    fix: expect.stringContaining(`${basename(request.output ?? '')}.reproducer-0`),
  });
  expect(readFileSync(request.output ?? '', 'utf8')).toBe('old');
  expect(readdirSync(folder.path).filter((name) => name.startsWith('.'))).toEqual([]);
  const { status, said } = await follow(`${request.output}.reproducer-0`);
  expect(status).toBe(4);
  expect(said).toContain('rewrites do not end');
});

/** A .npy file of float32 [1, n]. */
function npyRow(numbers: readonly number[]): Buffer {
  const header = `${`{'descr': '<f4', 'fortran_order': False, 'shape': (1, ${numbers.length}), }`.padEnd(117)}\n`;
  const head = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length, 0]);
  return Buffer.concat([head, Buffer.from(header), Buffer.from(Float32Array.from(numbers).buffer)]);
}
