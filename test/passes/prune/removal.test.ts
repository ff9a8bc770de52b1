// Cases of removal: removal/NN-title.txt, in the form of golden cases. Section options: units by name of the group; section
// declines: what is refused. UPDATE_GOLDEN=1 writes what comes out. The truth is the masked original on ONNX Runtime.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parseModel } from '../../../src/ir/text/parse.js';
import { printModel } from '../../../src/ir/text/print.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { shortText } from '../golden.js';
import { formatGolden, parseGolden } from '../golden-file.js';
import { removalDefects, removeFromText } from './removal-case.js';

const folder = fileURLToPath(new URL('removal/', import.meta.url));
const isUpdate = process.env['UPDATE_GOLDEN'] === '1';
const host = new RuntimeHost();

afterAll(() => host.dispose());

const cases = readdirSync(folder)
  .sort()
  .map((file) => ({ file, golden: parseGolden(readFileSync(join(folder, file), 'utf8')) }));

describe('removeUnits', () => {
  it.each(cases)('$file: $golden.title', async ({ file, golden }) => {
    const { model, removed, declines } = removeFromText(golden.before, golden.options);
    expect(await removalDefects(golden, { model, removed }, host)).toEqual([]);
    if (isUpdate) {
      writeFileSync(join(folder, file), formatGolden({ ...golden, after: shortText(model), declines }));
      return;
    }
    expect(declines).toEqual(golden.declines ?? []);
    expect(printModel(model, { weights: 'none' })).toBe(
      printModel(parseModel(golden.after ?? ''), { weights: 'none' }),
    );
  });
});
