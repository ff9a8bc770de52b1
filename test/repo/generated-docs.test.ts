// The committed pages and schemas are those that the program writes: `npm run docs` writes them anew.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ALL_PASSES } from '../../src/passes/registry.js';
import { mcompress, root } from '../cli/run-program.js';

const fresh = mkdtempSync(join(tmpdir(), 'mcompress-docs-'));
afterAll(() => rmSync(fresh, { recursive: true }));
beforeAll(async () => {
  for (const args of [
    ['docs', '-o', fresh],
    ['schema', '-o', join(fresh, 'schemas')],
  ]) {
    const { status, stderr } = await mcompress(['generate', ...args]);
    if (status !== 0) throw new Error(stderr);
  }
}, 60_000);

const filesUnder = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();

it('are up to date, and none is left over', () => {
  const names = filesUnder(fresh);
  const stale = names.filter((name) => {
    const committed = join(root, 'docs', name);
    return !existsSync(committed) || readFileSync(committed, 'utf8') !== readFileSync(join(fresh, name), 'utf8');
  });
  expect(stale, 'write them anew with: npm run docs').toEqual([]);
  const folders = ['passes', 'schemas'].flatMap((folder) =>
    filesUnder(join(root, 'docs', folder)).map((name) => `${folder}/${name}`),
  );
  expect(folders.filter((name) => !names.includes(name))).toEqual([]);
});

it('hold a page for every pass, with an example that was run', () => {
  for (const { name } of ALL_PASSES) {
    const page = readFileSync(join(fresh, 'passes', `${name}.md`), 'utf8');
    expect(page).toContain(`# ${name}\n`);
    expect(page).toContain('## Example\n');
    expect(page).toMatch(/Before:\n\n```\n<ir_version[\s\S]*After:\n\n```\n<ir_version/);
  }
});
