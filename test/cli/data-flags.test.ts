// The data that flags ask for.
import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/base/errors.js';
import { dataRequest, openRequested } from '../../src/cli/data-flags.js';
import type { FlagValues } from '../../src/cli/parsed-flags.js';
import { parsePreprocess } from '../../src/data/preprocess.js';
import { collect, png, port, useDataFolder } from '../data/sample-files.js';

const folder = useDataFolder();

describe('dataRequest', () => {
  it('is nothing without --data', () => {
    expect(dataRequest({})).toBeUndefined();
    expect(dataRequest({}, { preprocess: parsePreprocess('unit') })).toBeUndefined();
  });

  it('holds what was given; the flag wins over the recipe', () => {
    const recipe = { preprocess: parsePreprocess('unit') };
    expect(dataRequest({ data: 'set#test', labels: 'l.csv', limit: '100' }, recipe)).toEqual({
      path: 'set#test',
      labels: 'l.csv',
      limit: 100,
      ...recipe,
    });
    expect(dataRequest({ data: 'set', preprocess: 'tf' }, recipe)).toMatchObject({ preprocess: parsePreprocess('tf') });
    expect(dataRequest({ data: 'set' })).toEqual({
      path: 'set',
      labels: undefined,
      preprocess: undefined,
      limit: undefined,
    });
  });

  it.each<[FlagValues, string]>([
    [{ labels: 'x.csv' }, 'conflict'],
    [{ preprocess: 'unit' }, 'conflict'],
    [{ limit: '3' }, 'conflict'],
    [{ data: 'x', limit: '0' }, 'bad-value'],
    [{ data: 'x', limit: 'many' }, 'bad-value'],
    [{ data: 'x', preprocess: 'imagenett' }, 'bad-value'],
  ])('refuses %j', (flags, code) => {
    let error: unknown;
    try {
      dataRequest(flags);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code, exitCode: 2 });
  });
});

it('opens what was asked for', async () => {
  folder.write('a.png', png([255, 0, 0]));
  const labels = folder.write('labels.txt', 'a.png 3\n');
  const request = dataRequest({ data: folder.path(), labels, preprocess: 'unit' });
  if (!request) throw new Error('no request');
  const data = await openRequested(request, [port([1, 3, 2, 2])]);
  expect(data.preprocess).toBe('unit');
  const [sample] = await collect(data);
  expect([sample?.label, sample?.feeds.get('x')?.toNumbers().slice(0, 5)]).toEqual([3, [1, 1, 1, 1, 0]]);
});
