// House rules on the sources. Each rule is first shown to catch a bad sample; then the linter is shown to be on.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fileViolations, MAX_FILE_LINES, MAX_LINE_LENGTH, sourceViolations } from './conventions.js';
import { packageFolder, readSources } from './tracked-files.js';

describe('the checker', () => {
  const sample = (text: string, path = 'src/ir/a.ts'): string[] =>
    sourceViolations({ path, text }).map((violation) => violation.slice(path.length + 2));

  it.each([
    ['export default 1;\n', 'has a default export'],
    ['export enum Kind { A }\n', 'has an enum'],
    ['let count = 0;\n', 'has a variable at module level'],
    ['const cache = new Map<string, number>();\n', 'has an empty collection at module level, so module state'],
    ['const list: string[] = [];\n', 'has an empty collection at module level, so module state'],
    ['function f(a: string, strict: boolean) {}\n', 'has a boolean parameter'],
    ['function f(strict?: boolean, a = 1) {}\n', 'has a boolean parameter'],
    ['const f = (a: string, strict = false) => a;\n', 'has a boolean parameter'],
    ['// @ts-ignore\n', 'switches the type checker off'],
    [`// ${'TO'}${'DO'}: later\n`, 'has unfinished work noted in it'],
    ["export { x } from './x.js';\n", 're-exports from another module'],
    ["export type * from './x.js';\n", 're-exports from another module'],
    ['export function f(): void {}\n', 'exports f without a comment'],
    [`// ${'x'.repeat(MAX_LINE_LENGTH)}\n`, `line 1 has ${MAX_LINE_LENGTH + 3} columns`],
    ['const x = 1;', 'does not end with a newline'],
  ])('catches %j', (text, violation) => {
    expect(sample(text)).toContain(violation);
  });

  it('accepts ordinary code', () => {
    const text = [
      '// Purpose.',
      "import { x } from './x.js';",
      'const names = new Map([[1, x]]);',
      '/** Does it. */',
      'export function f(options: { strict: boolean }): boolean {',
      '  let count = 0;',
      '  const seen = new Set<string>();',
      '  return options.strict && seen.size > count++ && names.size > 0;',
      '}',
      '',
    ].join('\n');
    expect(sample(text)).toEqual([]);
    expect(sample("export { x } from './x.js';\n", 'src/index.ts')).toEqual([]);
  });

  it('judges names, heads and lengths of files', () => {
    expect(fileViolations({ path: 'src/ir/utils.ts', text: '// x\n' })).toEqual([
      'src/ir/utils.ts: has a name that says nothing',
    ]);
    expect(fileViolations({ path: 'test/common/a.ts', text: '// x\n' })).toEqual([
      'test/common/a.ts: has a name that says nothing',
    ]);
    expect(fileViolations({ path: 'src/ir/graph.ts', text: 'const x = 1;\n' })).toEqual([
      'src/ir/graph.ts: does not begin with its purpose',
    ]);
    expect(fileViolations({ path: 'src/ir/graph.ts', text: '//\n'.repeat(MAX_FILE_LINES + 1) })).toEqual([
      'src/ir/graph.ts: has 401 lines',
    ]);
    expect(fileViolations({ path: 'src/ir/graph.ts', text: '//\n'.repeat(MAX_FILE_LINES) })).toEqual([]);
  });
});

describe('the sources', () => {
  it('keep the rules of src', () => {
    expect(readSources('src').flatMap(sourceViolations)).toEqual([]);
  });

  it.each(['src', 'test'])('in %s have purposeful names, a head, and a bounded length', (folder) => {
    expect(readSources(folder).flatMap(fileViolations)).toEqual([]);
  });
});

describe('the linter', () => {
  it('rejects what the rules forbid', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mcompress-lint-'));
    try {
      copyFileSync(join(packageFolder, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
      mkdirSync(join(folder, 'src/passes/exact'), { recursive: true });
      const long = `export function long(): void {\n${'  Math.random();\n'.repeat(60)}}`;
      writeFileSync(
        join(folder, 'src/passes/exact/a.ts'),
        [
          "import { Graph } from '../../ir/graph.js';",
          "import { readModel } from '../../onnx/model.js';",
          'const unused = 1;',
          'export const value: any = Graph!.name == readModel;',
          long,
          '',
        ].join('\n'),
      );
      const run = spawnSync(
        process.execPath,
        [join(packageFolder, 'node_modules/oxlint/bin/oxlint'), '--format', 'json'],
        { cwd: folder, encoding: 'utf8' },
      );
      const { diagnostics } = JSON.parse(run.stdout) as {
        diagnostics: ReadonlyArray<{ code: string; severity: string }>;
      };
      const codes = diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code);
      expect(run.status).toBe(1);
      expect(codes.toSorted()).toEqual([
        'eslint(eqeqeq)',
        'eslint(max-lines-per-function)',
        'eslint(no-restricted-imports)',
        'eslint(no-unused-vars)',
        'typescript(no-explicit-any)',
        'typescript(no-non-null-assertion)',
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
