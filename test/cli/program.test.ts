// The program around the commands: help, version, messages, exit statuses, colours, closed pipes.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { COMMAND_SPECS, flagsOf } from '../../src/cli/command-specs.js';
import { FLAGS } from '../../src/cli/flags.js';
import { fixture, mcompress, mcompressJson, program, root, widest, withoutColors } from './run-program.js';

const mnist = fixture('mnist-bn-as-exported.onnx');

describe('help', () => {
  it('of the program leads with examples and names every command and status', async () => {
    const { status, stdout, stderr } = await mcompress(['--help']);
    expect([status, stderr]).toEqual([0, '']);
    for (const { name } of COMMAND_SPECS) expect(stdout).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
    expect(stdout.indexOf('Examples:')).toBeLessThan(stdout.indexOf('Commands:'));
    for (const code of [0, 1, 2, 3, 4, 130]) expect(stdout).toMatch(new RegExp(`^  ${code} +\\S`, 'm'));
    expect((await mcompress([])).stdout).toBe(stdout);
    expect((await mcompress(['help'])).stdout).toBe(stdout);
  });

  it.each(COMMAND_SPECS.map((spec) => ({ name: spec.name, spec })))(
    'of $name names its flags, in 80 columns',
    async ({ name, spec }) => {
      const { status, stdout } = await mcompress([name, '--help']);
      expect(status).toBe(0);
      expect(widest(stdout)).toBeLessThanOrEqual(80);
      for (const key of flagsOf(spec)) expect(stdout).toContain(`--${FLAGS[key].name}`);
      expect((await mcompress(['help', name])).stdout).toBe(stdout);
    },
  );

  it('of the program fits 80 columns', async () => {
    expect(widest((await mcompress(['-h'])).stdout)).toBeLessThanOrEqual(80);
  });
});

it('prints the version', async () => {
  const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };
  expect(await mcompress(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
});

describe('what is mistyped', () => {
  it.each([
    [['inspet', mnist], 'unknown-command', 'did you mean "inspect"?'],
    [['help', 'inspekt'], 'unknown-command', 'did you mean "inspect"?'],
    [['inspect', mnist, '--jsn'], 'unknown-option', 'did you mean "--json"?'],
    [['inspect', mnist, '--verify', 'off'], 'unknown-option', 'see: mcompress inspect --help'],
    [['slim', mnist, '--verify', 'ends'], 'bad-value', 'did you mean "end"?'],
    [['slim', mnist, '--verify'], 'bad-value', 'see: mcompress slim --help'],
    [['passes', 'fold-batchnorm'], 'unknown-pass', 'did you mean "fold-batch-norm"?'],
    [['slim', mnist, '-p', 'fold-bath-norm'], 'unknown-pass', 'did you mean "fold-batch-norm"?'],
    [['print', mnist, mnist], 'conflict', 'see: mcompress print --help'],
    [['print'], 'no-input', 'see: mcompress print --help'],
    [['-v'], 'unknown-option', 'see: mcompress --help'],
    [['inspect', mnist, '--color', 'blue'], 'bad-value', 'choose one of: auto, always, never'],
  ])('%j is %s, and the message says what may be meant', async (args, code, fix) => {
    const { status, stdout, stderr } = await mcompress(args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr.split('\n')).toEqual([
      expect.stringMatching(new RegExp(`^error\\[${code}\\]: `)),
      `  fix: ${fix}`,
      '',
    ]);
  });
});

describe('an error', () => {
  it('is a few lines on stderr, with its stack only when asked for', async () => {
    const plain = await mcompress(['inspect', 'nowhere.onnx']);
    expect(plain).toEqual({
      status: 3,
      stdout: '',
      stderr: 'error[not-found]: the model cannot be read: the file does not exist\n  at:  nowhere.onnx\n',
    });
    const full = await mcompress(['inspect', 'nowhere.onnx', '--debug']);
    expect(full.stderr.startsWith(plain.stderr)).toBe(true);
    expect(full.stderr).toMatch(/\n {4}at /);
  });
});

describe('colours', () => {
  const colored = async (env: Record<string, string>, ...flags: string[]): Promise<boolean> => {
    const { stdout } = await mcompress(['passes', 'fold-batch-norm', ...flags], { env });
    return stdout !== withoutColors(stdout);
  };

  it.each([
    [{}, [], false],
    [{ FORCE_COLOR: '1' }, [], true],
    [{ FORCE_COLOR: '0' }, [], false],
    [{ FORCE_COLOR: '1', NO_COLOR: '1' }, [], true],
    [{ FORCE_COLOR: '1' }, ['--color', 'never'], false],
    [{ NO_COLOR: '1' }, ['--color', 'always'], true],
  ] as const)('with %j and %j: %s', async (env, flags, expected) => {
    expect(await colored(env, ...flags)).toBe(expected);
  });
});

describe('a closed pipe', () => {
  it('ends the program quietly', async () => {
    const child = spawn(process.execPath, [program, 'print', fixture('googlenet-lrn-cifar10.onnx'), '--weights']);
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect([status, stderr]).toEqual([0, '']);
  });
});

describe('passes', () => {
  it('lists all, or explains one', async () => {
    const { stdout } = await mcompress(['passes']);
    expect(widest(stdout)).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/^fold-batch-norm +Fold BatchNormalization/m);
    const one = await mcompress(['passes', 'fold-batch-norm']);
    expect(one.stdout).toContain('left alone, and why');
    const document = await mcompressJson<{ kind: string; passes: { name: string }[] }>(['passes', 'fold-batch-norm']);
    expect([document.kind, document.passes.map(({ name }) => name)]).toEqual(['passes', ['fold-batch-norm']]);
  });
});

describe('print', () => {
  it('prints the model as text, with the weights only when asked for', async () => {
    const brief = await mcompress(['print', mnist]);
    const full = await mcompress(['print', mnist, '--weights']);
    expect(brief.stdout).toMatch(/BatchNormalization/);
    expect(full.stdout.length).toBeGreaterThan(10 * brief.stdout.length);
    const document = await mcompressJson<{ kind: string; text: string }>(['print', mnist]);
    expect(document).toEqual({ version: 1, kind: 'text', text: brief.stdout });
  });
});
