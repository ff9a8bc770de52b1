// The private folder of a run: whole files or none, and nothing left behind.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Workspace } from '../../src/pipeline/workspace.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mcompress-workspace-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('lies beside the output, in folders made for it, which go with it when nothing was written', async () => {
  mkdirSync(join(folder, 'there'));
  const output = join(folder, 'there', 'deep', 'er', 'net.onnx');
  const workspace = await Workspace.create(output);
  expect(dirname(workspace.folder)).toBe(dirname(output));
  await workspace.dispose();
  expect(readdirSync(join(folder, 'there'))).toEqual([]);
  const other = await Workspace.create(output);
  writeFileSync(other.path('net.onnx'), 'new');
  await other.publish([{ from: other.path('net.onnx'), to: output }]);
  await other.dispose();
  expect(readdirSync(dirname(output))).toEqual(['net.onnx']);
});

it('lies among temporary files when nothing will be published', async () => {
  const workspace = await Workspace.create(undefined);
  expect(workspace.folder.startsWith(tmpdir())).toBe(true);
  expect(existsSync(workspace.folder)).toBe(true);
  await workspace.dispose();
  expect(existsSync(workspace.folder)).toBe(false);
});

it('replaces what is there when it publishes, and not before', async () => {
  const output = join(folder, 'net.onnx');
  writeFileSync(output, 'old');
  const workspace = await Workspace.create(output);
  writeFileSync(workspace.path('net.onnx'), 'new');
  expect(readFileSync(output, 'utf8')).toBe('old');
  await workspace.publish([{ from: workspace.path('net.onnx'), to: output }]);
  expect(readFileSync(output, 'utf8')).toBe('new');
  await workspace.dispose();
  expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
});

it('says so when a place cannot be written to', async () => {
  writeFileSync(join(folder, 'a-file'), '');
  await expect(Workspace.create(join(folder, 'a-file', 'net.onnx'))).rejects.toMatchObject({
    code: 'not-writable',
    exitCode: 3,
    fix: 'choose another place with -o',
  });
  mkdirSync(join(folder, 'a-folder'), { recursive: true });
  writeFileSync(join(folder, 'a-folder', 'kept'), '');
  const workspace = await Workspace.create(join(folder, 'a-folder'));
  writeFileSync(workspace.path('net.onnx'), 'new');
  await expect(
    workspace.publish([{ from: workspace.path('net.onnx'), to: join(folder, 'a-folder') }]),
  ).rejects.toMatchObject({ code: 'not-writable' });
  await workspace.dispose();
  expect(readdirSync(join(folder, 'a-folder'))).toEqual(['kept']);
});

it('goes when the process ends early', () => {
  const program = join(folder, 'ends-early.mjs');
  const source = fileURLToPath(new URL('../../src/pipeline/workspace.ts', import.meta.url));
  buildSync({
    entryPoints: [source],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
  const place = join(folder, 'early');
  mkdirSync(place);
  const code = `const { Workspace } = await import(${JSON.stringify(program)});
    const workspace = await Workspace.create(${JSON.stringify(join(place, 'net.onnx'))});
    (await import('node:fs')).writeFileSync(workspace.path('part'), 'x');
    console.log((await import('node:fs')).readdirSync(workspace.folder).join());
    process.exit(3);`;
  const run = (): string => execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  expect(run).toThrow(expect.objectContaining({ status: 3, stdout: 'part\n' }));
  expect(readdirSync(place)).toEqual([]);
});
