// The Markdown report: whole tables, whatever the names hold.
import { expect, it } from 'vitest';
import { escapeMarkdown } from '../../src/report/markdown.js';
import { renderReportFile } from '../../src/report/render.js';
import type { Report } from '../../src/report/schema.js';
import { ALL_SAMPLES } from './all-samples.js';
import { sampleReport, troubledReport } from './sample.js';

const markdown = (report: Report): string => renderReportFile(report, 'r.md') ?? '';

/** Runs of table lines. */
function tables(text: string): string[][] {
  const runs: string[][] = [[]];
  for (const line of text.split('\n')) {
    if (line.startsWith('|')) runs.at(-1)?.push(line);
    else if (runs.at(-1)?.length) runs.push([]);
  }
  return runs.filter((run) => run.length > 0);
}
/** Cells of a table line: pipes that no backslash escapes divide them. */
const cells = (line: string): number => (line.match(/(?<!\\)(?:\\\\)*\|/g) ?? []).length - 1;

/** Without data there is less to put into tables. */
const TABLES = ALL_SAMPLES.filter(([name]) => !name.endsWith('without data'));
it.each(TABLES)('%s has whole tables, whatever the names hold', (_, report) => {
  const found = tables(markdown(report));
  expect(found.length).toBeGreaterThan(2);
  for (const table of found) {
    expect(table[1]).toMatch(/^\|( -{3}:? \|)+$/);
    expect(table.filter((line) => cells(line) !== cells(table[0] ?? ''))).toEqual([]);
  }
});

it('carries the figures, the charts as tables, and the recipe', () => {
  const text = markdown(sampleReport());
  expect(text).toContain(
    '# mobilenetv2.onnx → mobilenetv2.slim.onnx\n\n- Smaller by: **1 %** (13.6 MiB → 13.4 MiB · gzip 12.6 → 12.5 MiB · 221 → 99 nodes (-55 %))',
  );
  expect(text).toContain('| nodes | 221 | 99 | -55 % |  |');
  expect(text).toContain('| `BatchNormalization` | ███████████▉ |  | 52 → 0 |');
  expect(text).toContain('| before, runtime fusion off | 57 % (8.30 ms) | 43 % (6.24 ms) | 0 % (0 µs) | 14.5 ms |');
  expect(text).toContain('<details><summary>All 152 layers</summary>\n\n| layer |');
  expect(text).toContain('```sh\nmcompress slim mobilenetv2.onnx -o mobilenetv2.slim.onnx --seed 0 --threads 1\n```');
  expect(text).toContain('```json\n{\n  "version": 1,');
});

it('lets no name act as markup', () => {
  const text = markdown(troubledReport());
  const outside = text.replace(/(`+)[^]*?\1/g, '');
  expect(outside).not.toMatch(/(?<!\\)<(?!\/?(?:details|summary)>)/);
  expect(text).not.toMatch(/^## head/m);
  expect(escapeMarkdown('a|b*c_d<e>`f`[g]&amp;')).toBe('a\\|b\\*c\\_d\\<e\\>\\`f\\`\\[g\\]\\&amp;');
});

it('fences code that holds fences', () => {
  const report = { ...sampleReport(), recipe: { commandLine: 'echo ```` x', document: null } };
  expect(markdown(report)).toContain('`````sh\necho ```` x\n`````');
});

it('has no form for an unknown ending', () => {
  expect(renderReportFile(sampleReport(), 'r.pdf')).toBeUndefined();
  expect(renderReportFile(sampleReport(), 'constructor')).toBeUndefined();
});
