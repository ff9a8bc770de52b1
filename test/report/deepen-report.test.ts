// What a run of learned slimming says: one screen in a terminal, the order of a page, gates in words, the picture.
import { describe, expect, it } from 'vitest';
import type { DeepenReport } from '../../src/report/deepen-report.js';
import { deepenLines } from '../../src/report/deepen-terminal.js';
import { keptText, kindsText, missedText } from '../../src/report/deepen-words.js';
import { renderReportFile } from '../../src/report/render.js';
import { lineWidth, plainText } from '../../src/report/span.js';
import { missedDeepen, sampleDeepen } from './deepen-sample.js';

const REPORTS = ['m.deepened.report.html', 'm.deepened.report.md', 'm.deepened.report.json'];
const SCREEN = 30;
const view = (report: DeepenReport, width: number, verbosity: 0 | 1 | 2 = 0): string =>
  plainText(deepenLines(report, { width, verbosity, reports: REPORTS }));

describe('the terminal view', () => {
  it.each([
    ['all well', sampleDeepen()],
    ['gates missed', missedDeepen()],
  ])('fits one screen of 80 and of 200 columns: %s', (_, report) => {
    for (const width of [80, 200]) {
      const lines = deepenLines(report, { width, verbosity: 0, reports: REPORTS });
      expect(lines.length).toBeLessThanOrEqual(SCREEN);
      expect(lines.filter((line) => lineWidth(line) > width)).toEqual([]);
    }
  });

  it('says what was lost, what was replaced, where the time goes, what it rests on', () => {
    const text = view(sampleDeepen(), 200);
    expect(text).toMatch(/^mobilenetv2.onnx → mobilenetv2.deepened.onnx +top-1 lost: 0.3 points/);
    expect(text).toMatch(/3 of 4 blocks replaced \(-v says why not more\)/);
    expect(text).toMatch(/non-tensor layers: 73 % of the time before, 10 % after/);
    expect(text).toMatch(/blocks chosen for latency on 1000 samples, 40 layers fitted, then expand-lrn/);
  });

  it('shouts where it is slower, and says why nothing was replaced', () => {
    expect(view(missedDeepen(), 120)).toMatch(/SLOWER than the original by 4 %, which a run for latency allows/);
    expect(view(missedDeepen(), 120)).toMatch(
      /No block was replaced: the model with what was chosen was not measured faster/,
    );
  });

  it('-v adds steps, reasons and all blocks', () => {
    const text = view(sampleDeepen(), 200, 1);
    for (const expected of [
      /candidate 2 of 3 +3/,
      /a convolution has groups \[slim-branch: grouped\]/,
      /enlarged/,
      /1\.25x/,
    ])
      expect(text).toMatch(expected);
  });
});

describe('words', () => {
  it('name the gate that was missed: the budget first', () => {
    const missed = missedDeepen();
    expect(missedText(sampleDeepen(), 'strict')).toBe(undefined);
    expect(missedText(missed, 'usual')).toBe('--latency 0.5x: no block was replaced');
    const { maxDrop } = missed.gates;
    expect(missedText({ ...missed, gates: maxDrop ? { maxDrop } : {} }, 'usual')).toMatch(/^--max-drop: top-1 lost/);
    expect(missedText({ ...missed, gates: {} }, 'strict')).toBe('--strict: no block was replaced');
    expect(missedText({ ...missed, gates: {} }, 'usual')).toBe(undefined);
  });

  it('say nothing of what was not profiled, and what stands where no rule found anything', () => {
    expect(kindsText(missedDeepen())).toBe(undefined);
    expect(keptText(sampleDeepen())).toBe(undefined);
    expect(keptText({ ...missedDeepen(), blocks: [] })?.text).toMatch(/no rule found a block/);
  });
});

describe('pages', () => {
  it('draw loss against time, with what was taken and what is allowed', () => {
    const html = renderReportFile(sampleDeepen(), 'r.html') ?? '';
    expect(html).toContain('Loss against time of what was tried');
    expect(html).toContain('candidate 2 of 3: 0.4 points lost at 0.42x');
    expect(html).toContain('the original');
    expect(html.match(/r="8"/g)).toHaveLength(1);
    expect(html).toContain('allowed: 1');
    expect(html).toMatch(/3 of 4 blocks replaced; non-tensor layers: 73(\s|&nbsp;)% of the time before/);
    expect(html).not.toContain('stem <b>');
    expect(html).toContain('stem &lt;b&gt;');
    expect(renderReportFile(missedDeepen(), 'r.html')).not.toContain('Loss against time');
  });

  it('list what became of every block in Markdown, too', () => {
    const markdown = renderReportFile(sampleDeepen(), 'r.md') ?? '';
    for (const title of ['What became of blocks', 'On the way', 'Block by block', 'How it was measured'])
      expect(markdown).toContain(`## ${title}`);
    expect(markdown).toMatch(/DeepRebirth 2018, table 1/);
    expect(markdown).toContain('mcompress deepen mobilenetv2.onnx --max-drop 1');
  });
});
