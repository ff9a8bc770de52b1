// What the flags of `mcompress slim` do to the model, the report and the output.
import { writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../src/onnx/open.js';
import { parseReport } from '../../src/report/json.js';
import type { SlimReport } from '../../src/report/report.js';
import { fixture } from './run-program.js';
import { useScratch } from './scratch.js';

const scratch = useScratch();
const MNIST = fixture('mnist-bn-as-exported.onnx');
const DRY = ['--dry-run', '--json'];
const UNCHECKED = [...DRY, '--verify', 'off'];

/** The report of a dry run. */
async function dry(args: readonly string[]): Promise<SlimReport> {
  const { status, stdout, stderr } = await scratch.slim([...args, ...DRY]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(scratch.files().filter((name) => name.includes('slim'))).toEqual([]);
  return parseReport(stdout, 'slim', 'stdout');
}

const macs = ({ figures }: SlimReport): number => figures.macs?.before ?? Number.NaN;

/** A float array as numpy saves it (format 1.0). */
function npy(shape: readonly number[], value: number): Buffer {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const header = Buffer.from(`${text.padEnd(64 * Math.ceil((text.length + 11) / 64) - 11)}\n`);
  const count = shape.reduce((product, size) => product * size, 1);
  const data = Buffer.from(new Float32Array(count).fill(value).buffer);
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), uint(header.length, 2), header, data]);
}

function uint(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntLE(value, 0, bytes);
  return buffer;
}

/** A zip archive of one stored entry, as `numpy.savez` makes it. */
function npz(name: string, data: Buffer): Buffer {
  const entry = Buffer.from(`${name}.npy`);
  const sizes = [uint(crc32(data), 4), uint(data.length, 4), uint(data.length, 4), uint(entry.length, 2), uint(0, 2)];
  const common = [uint(20, 2), uint(0, 2), uint(0, 2), uint(0, 4), ...sizes];
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), ...common, entry, data]);
  const central = Buffer.concat([Buffer.from('PK\x01\x02'), uint(20, 2), ...common, Buffer.alloc(14), entry]);
  const end = [uint(0, 4), uint(1, 2), uint(1, 2), uint(central.length, 4), uint(local.length, 4), uint(0, 2)];
  return Buffer.concat([local, central, Buffer.from('PK\x05\x06'), ...end]);
}

describe('output', () => {
  it('--dry-run writes nothing and says so', async () => {
    const { status, stdout } = await scratch.slim([MNIST, '-o', 'out.onnx', '-n', '--report', 'r.md']);
    expect(status).toBe(0);
    expect(stdout).toContain('mnist-bn-as-exported.onnx (nothing written)');
    expect(scratch.files()).toEqual([]);
  });

  it('--no-report leaves out the size after gzip, which takes long, unless a document asks for it', async () => {
    const brief = ['--verify', 'off', '--no-profile', '--no-report', '-o', 'out.onnx'];
    expect((await scratch.slim([MNIST, ...brief])).stdout).not.toContain('gzip');
    const { stdout } = await scratch.slim([MNIST, ...brief, '--json']);
    expect(parseReport(stdout, 'slim', 'stdout').figures.gzipBytes?.before).toBeGreaterThan(100_000);
  });

  it('--json is one document, the same as the report file; --quiet says nothing', async () => {
    const run = await scratch.slim([MNIST, '-o', 'out.onnx', '--json']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(run.stdout)).toEqual(JSON.parse(scratch.read('out.report.json').toString()));
    expect(await scratch.slim([MNIST, '-o', 'out.onnx', '-q'])).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it('--no-profile leaves times out, and without it they are there', async () => {
    const { figures } = await dry([MNIST]);
    expect([figures.latency, figures.load, figures.peakProcessBytes]).toEqual([undefined, undefined, undefined]);
  });

  it('-v explains the declines', async () => {
    const { stdout } = await scratch.slim([MNIST, '-n', '-v']);
    expect(stdout).toMatch(/^declined$/m);
    for (const { code } of (await dry([MNIST])).declines) expect(stdout).toContain(`[${code}]`);
  });

  it('--external-data puts weights beside the model', async () => {
    await scratch.slim([MNIST, '-o', 'a.onnx', '--external-data', '--no-report']);
    await scratch.slim([MNIST, '-o', 'b.onnx', '--no-report']);
    expect(scratch.files()).toEqual(['a.onnx', 'a.onnx.data', 'b.onnx']);
    expect(scratch.read('a.onnx').length).toBeLessThan(scratch.read('b.onnx').length / 5);
    const compared = await scratch.slim(['a.onnx', '-n', '--json', '--strict']);
    expect(compared.status).toBe(0);
  });

  it('is the same bytes for the same seed, whatever else is asked', async () => {
    for (const [i, args] of [[], ['--verify', 'off'], ['--threads', '2'], ['--seed', '7']].entries())
      expect(await scratch.slim([MNIST, '-o', `${i}.onnx`, '--no-report', ...args])).toMatchObject({ status: 0 });
    for (const name of ['1.onnx', '2.onnx', '3.onnx']) expect(scratch.read(name)).toEqual(scratch.read('0.onnx'));
  });
});

describe('recipes', () => {
  it('-p replaces the preset, in order', async () => {
    const { recipe, passes } = await dry([MNIST, '-p', 'lift-constants', '-p', 'fold-batch-norm', '--verify', 'off']);
    expect(recipe.document).toEqual({ version: 1, passes: ['lift-constants', 'fold-batch-norm'] });
    expect(passes.map(({ pass }) => pass)).toEqual(['lift-constants', 'fold-batch-norm']);
    expect(recipe.commandLine).toMatch(
      /^mcompress slim \S+ -p lift-constants -p fold-batch-norm --verify off --no-profile$/,
    );
  });

  it('--recipe reads one, mcompress.recipe.json is found and announced, --no-recipe leaves it', async () => {
    writeFileSync(scratch.path('r.json'), '{"version": 1, "passes": ["fold-batch-norm"]}');
    writeFileSync(scratch.path('mcompress.recipe.json'), '{"version": 1, "passes": ["lift-constants"]}');
    const passesOf = (stdout: string): string[] => parseReport(stdout, 'slim', '').passes.map(({ pass }) => pass);
    const named = await scratch.slim([MNIST, '--recipe', 'r.json', ...UNCHECKED]);
    expect([named.stderr, passesOf(named.stdout)]).toEqual(['', ['fold-batch-norm']]);
    const found = await scratch.slim([MNIST, ...UNCHECKED]);
    expect(found.stderr).toBe('using mcompress.recipe.json (--no-recipe leaves it)\n');
    expect(passesOf(found.stdout)).toEqual(['lift-constants']);
    const left = await scratch.slim([MNIST, '--no-recipe', ...UNCHECKED]);
    expect([left.stderr, passesOf(left.stdout).length > 10]).toEqual(['', true]);
  });

  it('the recipe of a report does the same again', async () => {
    scratch.copy('mnist-bn-as-exported.onnx', 'm.onnx');
    await scratch.slim(['m.onnx', '--freeze', 'image:2x1x28x28', '--opset', '18', '-p', 'fold-batch-norm']);
    const { document } = scratch.report('m.slim.report.json').recipe;
    writeFileSync(scratch.path('again.json'), JSON.stringify(document));
    await scratch.slim(['m.onnx', '-o', 'again.onnx', '--recipe', 'again.json', '--no-report']);
    expect(scratch.read('again.onnx')).toEqual(scratch.read('m.slim.onnx'));
  });

  it.each([
    [['-p', 'fold-batch-nrm'], 'unknown-pass', 'did you mean "fold-batch-norm"?'],
    [['-p', 'fold-constants:grwth=1'], 'unknown-option', 'growth'],
    [['-p', 'fold-batch-norm', '--recipe', 'x.json'], 'conflict', 'put the pass into the recipe'],
    [['--recipe', 'gone.json'], 'bad-recipe', 'check its name'],
    [['--recipe', 'text.json'], 'bad-recipe', 'text.json'],
    [['--recipe', 'key.json'], 'bad-recipe', 'did you mean "passes"?'],
    [['--opset', '99'], 'bad-value', 'a whole number from'],
    [['--seed', '-1'], 'bad-value', 'a whole number'],
    [['--verify', 'maybe'], 'bad-value', 'off, end, each'],
    [['--report', 'x.txt'], 'bad-value', '.json, .md, .html'],
    [['--freeze', 'image:axb'], 'bad-value', 'NAME:SIZExSIZE'],
    [['--nonsense'], 'unknown-option', 'fix: '],
  ])('%j is a usage error with a hint', async (args, code, hint) => {
    writeFileSync(scratch.path('text.json'), 'no json');
    writeFileSync(scratch.path('key.json'), '{"version": 1, "pases": []}');
    const { status, stdout, stderr } = await scratch.slim([MNIST, '-n', ...args]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr.startsWith(`error[${code}]: `)).toBe(true);
    expect(stderr).toContain(hint);
  });
});

describe('the model', () => {
  it('--freeze fixes dimensions, --opset converts, --input only says what to feed', async () => {
    scratch.copy('mnist-bn-as-exported.onnx', 'm.onnx');
    const inputOf = async (name: string): Promise<string> => {
      const { model } = await openModel(scratch.path(name));
      const type = model.graph.inputs[0]?.type;
      return `${JSON.stringify(type?.kind === 'tensor' && type.shape)} opset ${model.opsets.get('')}`;
    };
    await scratch.slim(['m.onnx', '-o', 'a.onnx', '--freeze', '4x1x28x28', '--opset', '19', '--no-report']);
    await scratch.slim(['m.onnx', '-o', 'b.onnx', '--input', 'image:4x1x28x28', '--report', 'b.json']);
    expect(await inputOf('a.onnx')).toBe('[4,1,28,28] opset 19');
    expect(await inputOf('b.onnx')).toBe(await inputOf('m.onnx'));
    const atOne = await dry(['m.onnx', '--input', 'image:1x1x28x28']);
    expect(macs(scratch.report('b.json'))).toBe(4 * macs(atOne));
  });

  it('--keep-overridable keeps initializers that are inputs open', async () => {
    const ir3 = fixture('small/ir3-initializers-as-inputs.onnx');
    const [constant, open] = [await dry([ir3]), await dry([ir3, '--keep-overridable'])];
    expect(constant.figures.nodes.after).toBeLessThan(open.figures.nodes.after);
    expect(open.verification.verdict).toBe('agrees');
  });

  it('--opset refuses what it cannot convert', async () => {
    const { status, stderr } = await scratch.slim([fixture('small/activation-pieces.onnx'), '-n', '--opset', '13']);
    expect(status).toBeGreaterThan(0);
    expect(stderr).toMatch(/^error\[/);
  });
});

describe('checking', () => {
  it('--verify off, end, each', async () => {
    const verdictOf = async (when: string): Promise<string> =>
      (await dry([MNIST, '--verify', when])).verification.verdict;
    expect([await verdictOf('off'), await verdictOf('end'), await verdictOf('each')]).toEqual([
      'skipped',
      'agrees',
      'agrees',
    ]);
  });

  it('--feed takes a number, a list, .npy and .npz', async () => {
    writeFileSync(scratch.path('x.npy'), npy([1, 1, 28, 28], 0.5));
    writeFileSync(scratch.path('x.npz'), npz('image', npy([3, 1, 28, 28], 0.5)));
    const number = await dry([MNIST, '--feed', 'image=0.5', '--input', 'image:1x1x28x28']);
    const array = await dry([MNIST, '--feed', 'image=x.npy']);
    const archive = await dry([MNIST, '--feed', 'x.npz']);
    const plain = await dry([MNIST]);
    expect(array.verification.outputs).toEqual(number.verification.outputs);
    expect(array.verification.outputs).not.toEqual(plain.verification.outputs);
    expect(archive.verification.feeds).toBe(plain.verification.feeds + 1);
    expect(macs(archive)).toBe(3 * macs(plain));
    const list = await dry([
      fixture('small/conv1d-net.onnx'),
      '--feed',
      `signal=[[${'[1,2,3,4,5,6,7,8],'.repeat(2).slice(0, -1)}]]`,
    ]);
    expect(list.verification.verdict).toBe('agrees');
  });

  it.each([
    [['--feed', 'image=[1,2]'], 'bad-feed', 'does not fit'],
    [['--feed', 'imge=1'], 'bad-feed', 'did you mean "image"?'],
    [['--feed', 'gone.npz'], 'not-found', 'gone.npz'],
    [['--input', 'image:1x1x28x29'], 'bad-feed', 'fixed to 28'],
    [['--freeze', 'image:1x1x28x29'], 'bad-feed', 'not 29'],
    [['--freeze', '2x1x28x28', '--input', '3x1x28x28'], 'bad-feed', 'frozen to 2x1x28x28'],
    [['--baseline', 'gone.json'], 'not-found', 'gone.json'],
    [['--baseline', MNIST], 'bad-report', 'not JSON'],
  ])('%j is an input error', async (args, code, hint) => {
    const { status, stdout, stderr } = await scratch.slim([MNIST, '-n', ...args]);
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr.startsWith(`error[${code}]: `)).toBe(true);
    expect(stderr).toContain(hint);
  });

  it.each([
    ['text', 'hello\n', 'not-onnx'],
    ['nothing', '', 'not-onnx'],
    ['a part of a model', undefined, 'truncated'],
  ])('a model that is %s is one clear error', async (_, text, code) => {
    scratch.copy('mnist-bn-as-exported.onnx', 'bad.onnx');
    writeFileSync(scratch.path('bad.onnx'), text ?? scratch.read('bad.onnx').subarray(0, 9000));
    const { status, stdout, stderr } = await scratch.slim(['bad.onnx', '-o', 'new/folder/x.onnx']);
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^error\\[${code}\\]: .*\\n {2}at: {2}bad\\.onnx.*\\n( {2}fix: .*\\n)?$`));
    expect(scratch.files()).toEqual(['bad.onnx']);
  });
});
