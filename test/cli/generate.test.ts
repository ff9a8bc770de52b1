// `mcompress generate`: completion as bash runs it, the manual page as man shows it, schemas against real documents.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMAND_SPECS, COMMANDS, flagsOf } from '../../src/cli/command-specs.js';
import { FLAGS } from '../../src/cli/flags.js';
import { SHELLS } from '../../src/cli/generate/completion.js';
import { ALL_PASSES } from '../../src/passes/registry.js';
import { REPORT_SHAPES } from '../../src/report/schema.js';
import { problems } from '../report/json-schema.js';
import { fixture, mcompress, mcompressJson } from './run-program.js';

const folder = mkdtempSync(join(tmpdir(), 'mcompress-generate-'));
afterAll(() => rmSync(folder, { recursive: true }));

const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
const generated = async (...args: string[]): Promise<string> => (await mcompress(['generate', ...args])).stdout;

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'])('for %s names every command, flag and pass', async (shell) => {
    const script = await generated('completion', shell);
    for (const spec of COMMAND_SPECS) {
      expect(script).toContain(spec.name);
      for (const key of flagsOf(spec)) expect(script).toMatch(new RegExp(`(--|-l )${FLAGS[key].name}\\b`));
    }
    for (const { name } of ALL_PASSES) expect(script).toContain(name);
  });

  describe.skipIf(!has('bash'))('in bash', () => {
    let script = '';
    beforeAll(async () => {
      script = await generated('completion', 'bash');
    }, 60_000);

    /** What bash offers at the end of this line. */
    function offered(line: string): string[] {
      const words = line.split(' ');
      const list = words.map((word) => `'${word}'`).join(' ');
      const test = `${script}\nCOMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _mcompress; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const run = spawnSync('bash', ['--norc', '-c', test], { encoding: 'utf8' });
      expect(run.stderr).toBe('');
      return run.stdout.split('\n').filter((word) => word !== '');
    }

    it('is a script that bash takes', () => {
      expect(spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    });

    it('offers commands first', () => {
      expect(offered('mcompress ')).toEqual([...COMMAND_SPECS.map(({ name }) => name), 'help', '--help', '--version']);
      expect(offered('mcompress p')).toEqual(['prune', 'profile', 'passes', 'print']);
      expect(offered('mcompress help ins')).toEqual(['inspect']);
    });

    it('offers flags, and the values of flags that have choices', () => {
      expect(offered('mcompress slim --no')).toEqual([
        '--no-recipe',
        '--no-equalize',
        '--no-refine',
        '--no-bias-correction',
        '--no-report',
        '--no-profile',
      ]);
      expect(offered('mcompress slim model.onnx --verify ')).toEqual(['off', 'end', 'each']);
      expect(offered('mcompress profile --optimization e')).toEqual(['extended']);
      expect(offered('mcompress inspect --verify ')).toEqual([]);
    });

    it('offers passes where one is due', () => {
      expect(offered('mcompress passes fold-batch')).toEqual(['fold-batch-norm']);
      expect(offered('mcompress slim -p fuse-hard')).toEqual(['fuse-hard-swish', 'fuse-hard-sigmoid']);
    });

    it('counts arguments, not the values of flags', () => {
      expect(offered('mcompress generate -o out sch')).toEqual(['schema']);
      expect(offered('mcompress generate completion fi')).toEqual(['fish']);
    });

    it('leaves file names to bash', () => {
      expect(offered('mcompress slim mod')).toEqual([]);
      expect(offered('mcompress slim --recipe r')).toEqual([]);
    });
  });
});

describe('the manual page', () => {
  it('is well-formed roff', async () => {
    const page = await generated('man');
    const requests = page.split('\n').filter((line) => line.startsWith('.'));
    expect(requests.filter((line) => !/^\.(TH|SH|SS|TP|B|br)\b/.test(line))).toEqual([]);
    expect(page).toMatch(/^\.TH MCOMPRESS 1 /);
    // Hyphens of flags are minus signs, or they could not be searched for and copied.
    expect(page).toContain('\\-\\-no\\-recipe');
  });

  it.skipIf(!has('man'))('is shown by man without a warning', async () => {
    const page = await generated('man');
    const run = spawnSync('man', ['--warnings', '-l', '-'], {
      input: page,
      encoding: 'utf8',
      env: { ...process.env, MANWIDTH: '80', MANPAGER: 'cat', LC_ALL: 'C.UTF-8', MANROFFOPT: '-c' },
    });
    expect(run.stderr).toBe('');
    const text = run.stdout.replaceAll(/\s+/g, ' ');
    for (const { name } of COMMAND_SPECS) expect(text).toContain(`mcompress ${name} [OPTIONS]`);
    expect(text).toContain('-n, --dry-run do everything but write files');
    expect(text).toContain('130 interrupted');
  });
});

describe('schemas', () => {
  it('are one file per document, and each is what describes it', async () => {
    const run = await mcompress(['generate', 'schema', '-o', folder]);
    expect(run).toEqual({ status: 0, stdout: '', stderr: '' });
    const documents = [...Object.keys(REPORT_SHAPES), 'recipe'];
    expect(readdirSync(folder).sort()).toEqual(documents.map((name) => `${name}.schema.json`).sort());
    expect(COMMANDS.generate.args[1].choices).toEqual([...SHELLS, ...documents]);
    const schema = JSON.parse(readFileSync(join(folder, 'inspect.schema.json'), 'utf8')) as Readonly<
      Record<string, unknown>
    >;
    expect(JSON.parse(await generated('schema', 'inspect'))).toEqual(schema);
    const document = await mcompressJson<object>(['inspect', fixture('mnist-bn-as-exported.onnx')]);
    expect(problems(schema, document)).toEqual([]);
    expect(problems(schema, { ...document, inputs: 1 })).not.toEqual([]);
  });
});

it('is one JSON document with --json', async () => {
  const { kind, files } = await mcompressJson<{ kind: string; files: { path: string; text: string }[] }>([
    'generate',
    'man',
  ]);
  expect([kind, files.map(({ path }) => path)]).toEqual(['generated', ['mcompress.1']]);
  expect(files[0]?.text).toBe(await generated('man'));
});

it.each([
  [['completion'], 'no-input'],
  [['completion', 'csh'], 'bad-value'],
  [['schema'], 'conflict'],
  [['man', 'bash'], 'conflict'],
  [['doc'], 'bad-value'],
])('generate %j is %s', async (args, code) => {
  const { status, stdout, stderr } = await mcompress(['generate', ...args]);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(new RegExp(`^error\\[${code}\\]: `));
});
