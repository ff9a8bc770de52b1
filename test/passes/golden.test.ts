// Golden cases of the passes: golden/<pass>/NN-title.txt, described in golden/README.md. UPDATE_GOLDEN=1 writes what comes
// out back into the files, for review.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parseModel } from '../../src/ir/text/parse.js';
import { printModel } from '../../src/ir/text/print.js';
import { ALL_PASSES } from '../../src/passes/registry.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { runGolden, shortText, tensorDifferences } from './golden.js';
import { formatGolden, parseGolden, type GoldenCase } from './golden-file.js';

const folder = fileURLToPath(new URL('golden/', import.meta.url));
const isUpdate = process.env['UPDATE_GOLDEN'] === '1';
const host = new RuntimeHost();

afterAll(() => host.dispose());

const filesOf = (pass: string): string[] =>
  existsSync(join(folder, pass))
    ? readdirSync(join(folder, pass))
        .filter((name) => name.endsWith('.txt'))
        .sort()
    : [];
const read = (pass: string, file: string): GoldenCase => parseGolden(readFileSync(join(folder, pass, file), 'utf8'));
const decline = (line: string): string => line.slice(0, line.indexOf(':'));

describe('the folder of golden cases', () => {
  it('holds folders of registered passes only', () => {
    const folders = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
    const known = ALL_PASSES.map((pass) => pass.name);
    expect(folders.filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe.each(ALL_PASSES.map((pass) => ({ name: pass.name, pass })))('$name', ({ name, pass }) => {
  const cases = filesOf(name).map((file) => ({ file, golden: read(name, file) }));

  it('has a case where it fires', () => {
    expect(cases.some(({ golden }) => golden.after !== undefined && golden.after !== 'unchanged')).toBe(true);
  });

  it('has a case for every code it declines with, and no other', () => {
    const shown = new Set(cases.flatMap(({ golden }) => (golden.declines ?? []).map(decline)));
    expect([...shown].sort()).toEqual(Object.keys(pass.declines).sort());
  });

  it.each(cases)('$file: $golden.title', async ({ file, golden }) => {
    const run = await runGolden(pass, golden, host);
    expect(run.defects).toEqual([]);
    if (isUpdate) {
      const after = run.changed ? run.text : 'unchanged';
      writeFileSync(join(folder, name, file), formatGolden({ ...golden, after, declines: run.declines }));
      return;
    }
    if (golden.after === undefined) throw new Error(`${file} has no section "after": UPDATE_GOLDEN=1 writes it`);
    const expected = golden.after === 'unchanged' ? undefined : parseModel(golden.after);
    const text = (model: typeof run.model): string => printModel(model, { weights: 'none' });
    const isAlike = expected !== undefined && text(expected) === text(run.model);
    // The texts with weights are the better message where the structure differs.
    expect(isAlike ? '' : run.text).toBe(isAlike ? '' : shortText(expected ?? parseModel(golden.before)));
    expect(expected === undefined ? [] : tensorDifferences(expected, run.model)).toEqual([]);
    expect(golden.declines ?? run.declines).toEqual(run.declines);
  });
});
