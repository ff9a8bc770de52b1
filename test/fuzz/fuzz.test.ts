// Damaged files never crash the reader or what comes after it: each is read, or refused with one classified error.
// `npm run bench -- fuzz 20000` tries more of them, in processes with limited memory and time.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { smallFixtures } from '../onnx/model-files.js';
import { exercise, type Outcome } from './exercise.js';
import { makeMutant, realFiles } from './mutants.js';
import { encodeTree, parseTree } from '../onnx/wire-tree.js';

const MUTANTS = 500;
const files = realFiles(smallFixtures.map(([, path]) => path));

it.each(smallFixtures)('%s is what the tree of it is written as', (_, path) => {
  const bytes = readFileSync(path);
  expect(encodeTree(parseTree(bytes)).equals(bytes)).toBe(true);
});

it(`${MUTANTS} damaged files are read or refused`, async () => {
  const outcomes: (readonly [string, Outcome])[] = [];
  for (let number = 0; number < MUTANTS; number++) {
    const { name, bytes, folder } = makeMutant(files, number);
    outcomes.push([name, await exercise(bytes, folder)]);
  }
  expect(outcomes.filter(([, outcome]) => outcome.kind === 'fault')).toEqual([]);
  const codes = new Set(outcomes.map(([, outcome]) => (outcome.kind === 'refused' ? outcome.code : outcome.kind)));
  expect([...codes]).toEqual(expect.arrayContaining(['read', 'malformed', 'missing-value', 'bad-tensor', 'truncated']));
});
