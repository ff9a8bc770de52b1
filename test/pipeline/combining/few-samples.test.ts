// When a limit of points is too fine for the samples that are reported.
import { expect, it } from 'vitest';
import { fewSamplesWarnings } from '../../../src/pipeline/combining/few-samples.js';

it.each([
  [1, 150, ['--max-drop 1 is 1.5 of the 150 samples', '500 are']],
  [0.5, 999, ['--max-drop 0.5 is 5.0 of the 999 samples', '1000 are']],
])('%f points on %i samples are warned of', (limit, reported, parts) => {
  const [text, ...others] = fewSamplesWarnings(limit, reported);
  for (const part of parts) expect(text).toContain(part);
  expect(others).toEqual([]);
});

it.each([
  [1, 500],
  [0.5, 1000],
  [6, 100],
  [Infinity, 1],
])('%f points on %i samples are not', (limit, reported) => {
  expect(fewSamplesWarnings(limit, reported)).toEqual([]);
});
