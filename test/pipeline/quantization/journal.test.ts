// The journal of a search: what is read back, what is dropped, and what is not taken for one.
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { UsageError } from '../../../src/base/errors.js';
import { journalKey, memoryJournal, openJournal } from '../../../src/pipeline/quantization/journal.js';

const folder = mkdtempSync(join(tmpdir(), 'mcompress-journal-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const file = (): string => join(folder, `${++files}.jsonl`);
const KEY = journalKey(['model', 'data']);

async function written(path: string): Promise<void> {
  const journal = openJournal(path, KEY);
  await journal.recall('score', () =>
    Promise.resolve({ loss: 0.5, sqnr: Infinity, worst: -Infinity, missing: undefined }),
  );
  await journal.recall('time', () => Promise.resolve([1.25, Number.NaN]));
  journal.close();
}

describe('a journal', () => {
  it('gives back what was found, without finding it again', async () => {
    const path = file();
    await written(path);
    const journal = openJournal(path, KEY);
    const measure = vi.fn<() => Promise<unknown>>(() => Promise.resolve({}));
    expect(journal.known).toBe(2);
    expect(journal.note).toContain('2 steps');
    expect(await journal.recall('score', measure)).toEqual({ loss: 0.5, sqnr: Infinity, worst: -Infinity });
    expect(await journal.recall('time', measure)).toEqual([1.25, Number.NaN]);
    expect(measure).not.toHaveBeenCalled();
    expect([journal.has('score'), journal.has('other')]).toEqual([true, false]);
    await journal.recall('other', measure);
    expect(journal.has('other')).toBe(true);
    expect(measure).toHaveBeenCalledOnce();
    journal.close();
  });

  it('goes on with what it will give back', async () => {
    const journal = memoryJournal();
    const found = await journal.recall('score', () => Promise.resolve({ loss: 1, missing: undefined }));
    expect(Object.keys(found)).toEqual(['loss']);
    expect(journal.note).toBeUndefined();
  });

  it('keeps a step that failed out', async () => {
    const path = file();
    const journal = openJournal(path, KEY);
    await expect(journal.recall('score', () => Promise.reject(new Error('stopped')))).rejects.toThrow('stopped');
    journal.close();
    expect(openJournal(path, KEY).known).toBe(0);
  });

  it('drops a last line that was not written whole, at every byte of it', async () => {
    const path = file();
    await written(path);
    const whole = readFileSync(path);
    const lineStart = whole.lastIndexOf(10, whole.length - 2) + 1;
    for (let end = lineStart; end < whole.length; end++) {
      writeFileSync(path, whole);
      truncateSync(path, end);
      const journal = openJournal(path, KEY);
      expect(journal.known).toBe(1);
      await journal.recall('time', () => Promise.resolve([1.25, Number.NaN]));
      journal.close();
      expect(readFileSync(path)).toEqual(whole);
    }
  });

  it('begins anew after a first line that was not written whole', async () => {
    const path = file();
    await written(path);
    const whole = readFileSync(path);
    for (const end of [0, 1, 9, 20, whole.indexOf(10)]) {
      writeFileSync(path, whole.subarray(0, end));
      await written(path);
      expect(readFileSync(path)).toEqual(whole);
    }
  });

  it('begins anew for another key, and says so', async () => {
    const path = file();
    await written(path);
    const journal = openJournal(path, journalKey(['model', 'other data']));
    expect(journal.known).toBe(0);
    expect(journal.note).toContain('begun anew');
    journal.close();
    expect(readFileSync(path, 'utf8').trim().split('\n')).toHaveLength(1);
  });

  it('leaves a file alone that is no journal', () => {
    for (const text of ['{"a": 1}\n', 'precious', 'precious\n', '{"score']) {
      const path = file();
      writeFileSync(path, text);
      expect(() => openJournal(path, KEY)).toThrow(UsageError);
      expect(readFileSync(path, 'utf8')).toBe(text);
    }
  });
});
