// Files that cannot be opened as models: one error that says why, before anything large is read.
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openModel } from '../../src/onnx/open.js';
import { smallModel } from './proto-bytes.js';

const place = { folder: '' };

beforeAll(() => {
  place.folder = mkdtempSync(join(tmpdir(), 'mcompress-open-'));
  writeFileSync(join(place.folder, 'empty.onnx'), '');
  writeFileSync(join(place.folder, 'good.onnx'), smallModel());
  // A hole takes no room on disk.
  const large = openSync(join(place.folder, 'large.onnx'), 'w');
  ftruncateSync(large, 2 ** 31);
  closeSync(large);
});
afterAll(() => rmSync(place.folder, { recursive: true, force: true }));

it.each([
  ['missing.onnx', 'not-found', /does not exist/],
  ['good.onnx/m.onnx', 'not-found', /does not exist/],
  ['.', 'not-readable', /a folder/],
  ['empty.onnx', 'not-onnx', /is empty/],
  ['large.onnx', 'too-large', /has 2\.00 GiB/],
])('%s is refused as %s', async (name, code, says) => {
  const path = join(place.folder, name);
  const failing = openModel(path);
  await expect(failing).rejects.toMatchObject({ code, at: { file: path }, message: expect.stringMatching(says) });
});

it('a model is opened', async () => {
  const { document } = await openModel(join(place.folder, 'good.onnx'));
  expect(document.byteLength).toBe(smallModel().length);
});
