// What a pruning run says: one screen in a terminal, the order of a page, gates in words, the picture.
import { describe, expect, it } from 'vitest';
import type { PruneReport } from '../../src/report/prune-report.js';
import { pruneLines } from '../../src/report/prune-terminal.js';
import { budgetText, keptGroups, keptText, missedText, slowerText, subsetText } from '../../src/report/prune-words.js';
import { renderReportFile } from '../../src/report/render.js';
import { lineWidth, plainText } from '../../src/report/span.js';
import { guessedPrune, missedPrune, samplePrune } from './prune-sample.js';

const REPORTS = ['m.pruned.report.html', 'm.pruned.report.md', 'm.pruned.report.json'];
const SCREEN = 30;
const view = (report: PruneReport, width: number, verbosity: 0 | 1 | 2 = 0): string =>
  plainText(pruneLines(report, { width, verbosity, reports: REPORTS }));

describe('the terminal view', () => {
  it.each([
    ['all well', samplePrune()],
    ['gates missed', missedPrune()],
    ['no data', guessedPrune()],
  ])('fits one screen of 80 and of 200 columns: %s', (_, report) => {
    for (const width of [80, 200]) {
      const lines = pruneLines(report, { width, verbosity: 0, reports: REPORTS });
      expect(lines.length).toBeLessThanOrEqual(SCREEN);
      expect(lines.filter((line) => lineWidth(line) > width)).toEqual([]);
    }
  });

  it('says what was lost, what left, what it rests on', () => {
    const text = view(samplePrune(), 200);
    expect(text).toMatch(
      /^mobilenetv2.onnx → mobilenetv2.pruned.onnx +top-1 lost: 0.3 points \(95 %: .*\), 900 samples/,
    );
    expect(text).toMatch(
      /1680 of 6400 channels removed in 20 of 22 groups; groups left alone: 1 worth, 1 graph-output/,
    );
    expect(text).toMatch(/--macs 0.7x met: 70 % left/);
    expect(text).toMatch(/--max-drop met: top-1 lost: 0.3 points of 1.0 points allowed/);
    expect(text).toMatch(
      /channels ranked by obs \(auto\) on 1000 samples, 52 layers refitted, before that equal to the original/,
    );
    expect(text).toMatch(/MACs +300.8 M +209.6 M/);
  });

  it('shouts where it is slower, and where no data was used', () => {
    expect(view(missedPrune(), 120)).toMatch(/SLOWER than the original by 4 %, which --macs 0.5x allows/);
    expect(view(guessedPrune(), 120)).toMatch(/NO DATA was used/);
    expect(view(guessedPrune(), 120)).toMatch(/Nothing was pruned: the pruned model was measured slower/);
  });

  it('-v adds steps, reasons and all groups', () => {
    const text = view(missedPrune(), 160, 1);
    for (const expected of [/cycle 3 +77 %/, /a defect of mcompress/, /features\.19\/conv/, /Groups that kept all/])
      expect(text).toMatch(expected);
  });
});

describe('words', () => {
  it('name the gate that was missed: the budget first', () => {
    const missed = missedPrune();
    expect(missedText(samplePrune(), 'usual')).toBe(undefined);
    expect(missedText(samplePrune(), 'strict')).toBe(undefined);
    expect(missedText(missed, 'usual')).toBe('--macs 0.5x: 70 % left');
    const { maxDrop } = missed.gates;
    expect(missedText({ ...missed, gates: maxDrop ? { maxDrop } : {} }, 'usual')).toMatch(/^--max-drop: top-1 lost/);
    const far: PruneReport = { ...samplePrune(), gates: { budget: { asked: '--ratio 0.4', verdict: 'met' } } };
    expect(budgetText(far)).toMatch(/^26 % removed, as near as widths come/);
    expect(budgetText({ ...far, gates: { budget: { asked: '--ratio 0.27', verdict: 'met' } } })).toBe('26 % removed');
    expect(missedText({ ...guessedPrune(), gates: {} }, 'strict')).toBe('--strict: nothing was pruned');
    expect(missedText({ ...guessedPrune(), gates: {} }, 'usual')).toBe(undefined);
  });

  it('say why groups kept their channels, the most frequent reason first', () => {
    const report = missedPrune();
    const codes = keptGroups({ ...report, groups: [...report.groups, ...report.groups.slice(-1)] });
    expect(codes.map(({ code, groups }) => [code, groups.length])).toEqual([
      ['defect', 2],
      ['worth', 1],
      ['graph-output', 1],
    ]);
  });

  it('say what a subset of classes gained beyond the cut head', () => {
    expect(subsetText(missedPrune())).toBe(
      '3 classes of 1000: tiger <shark>, tabby, Egyptian cat (samples by labels); beyond the cut head 30 % fewer MACs, 1.28x as fast.',
    );
    expect([subsetText(samplePrune()), slowerText(samplePrune()), keptText(samplePrune())]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('pages', () => {
  it('draw the widths of each group as bars, and list every group', () => {
    const html = renderReportFile(samplePrune(), 'r.html') ?? '';
    expect(html).toMatch(/Channels of the groups that could lose some/);
    expect(html).toMatch(/64 → 48/);
    expect(html).not.toContain('logits <b>');
    expect(html).toContain('logits &lt;b&gt;');
    const markdown = renderReportFile(missedPrune(), 'r.md') ?? '';
    for (const title of ['What left', 'The classes that stay', 'On the way', 'Group by group', 'How it was measured'])
      expect(markdown).toContain(`## ${title}`);
    expect(markdown).toContain('mcompress prune mobilenetv2.onnx --macs 0.7x');
  });
});
