// docs/report.md explains what the report holds: every figure, verdict and tolerance must be in it.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { FIGURES, REPORT_VERSION, VERDICTS } from '../../src/report/facts.js';
import { SLIM_REPORT } from '../../src/report/report.js';

const text = readFileSync(new URL('../../docs/report.md', import.meta.url), 'utf8');
const keys = (schema: unknown): string[] => Object.keys((schema as { readonly properties: object }).properties);

it('names every figure of the report in its table', () => {
  for (const key of keys(FIGURES.schema)) expect(text).toContain(`| \`${key}\` |`);
});

it('names every part of the report and every verdict', () => {
  const parts = keys(SLIM_REPORT.schema).filter(
    (key) => !['output', 'timeShare', 'baseline', 'createdAt', 'elapsedMs', 'warnings'].includes(key),
  );
  for (const key of parts) expect(text).toMatch(new RegExp(`\`${key}[.\`]`));
  for (const verdict of [...VERDICTS, 'agrees', 'mismatch-undone', 'unverified', 'skipped'])
    expect(text).toContain(`| \`${verdict}\` |`);
});

it('states the version', () => {
  expect(text).toContain(`The version is ${REPORT_VERSION}.`);
});
