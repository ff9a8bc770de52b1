// docs/data.md and the help of the flag say what the code does.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { FLAGS } from '../../src/cli/flags.js';
import { IMAGE_ENDINGS } from '../../src/data/decode-image.js';
import { parsePreprocess, PREPROCESS_OPTIONS, PREPROCESS_PRESETS } from '../../src/data/preprocess.js';

const page = readFileSync(new URL('../../docs/data.md', import.meta.url), 'utf8');

/** Rows of a table whose first cell is code. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
  .map((cells) => cells.slice(1, -1));

/** A number as the page writes it. */
const readNumber = (text: string): number =>
  text
    .split('/')
    .map(Number)
    .reduce((a, b) => a / b);

it('lists the presets with their figures', () => {
  const presets = rows.filter((cells) => cells.length === 7);
  expect(presets.map(([name]) => name)).toEqual(Object.keys(PREPROCESS_PRESETS));
  for (const [name = '', scale = '', mean = '', std = '', order, resize, what] of presets) {
    const { settings } = parsePreprocess(name);
    expect(readNumber(scale)).toBe(settings.scale);
    expect(mean.split('/').map(Number)).toEqual(settings.mean);
    expect(std.split('/').map(Number)).toEqual(settings.std);
    expect(order).toBe(settings.order);
    expect(parsePreprocess(`${name}:resize=${resize}`).settings.resize).toEqual(settings.resize);
    expect(what).toBe(PREPROCESS_PRESETS[name as keyof typeof PREPROCESS_PRESETS].summary);
  }
});

it('lists the options as their declarations do', () => {
  for (const [key, { help }] of Object.entries(PREPROCESS_OPTIONS)) expect(rows).toContainEqual([key, help]);
});

it('shows preprocessing that parses', () => {
  const specs = [...page.matchAll(/--preprocess ([a-z0-9]+(?::[^\s`]+)?)/g)].map((match) => match[1] ?? '');
  expect(specs.length).toBeGreaterThan(5);
  for (const spec of specs) expect(() => parsePreprocess(spec)).not.toThrow();
});

it('names the pictures that are read, and the help names the presets', () => {
  for (const ending of IMAGE_ENDINGS.filter((name) => !['.jpeg', '.tiff'].includes(name)))
    expect(page).toContain(ending);
  for (const name of Object.keys(PREPROCESS_PRESETS)) expect(FLAGS.preprocess.help).toContain(name);
});
