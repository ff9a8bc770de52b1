// What a choice among all passes says: one screen in a terminal, the order of a page, gates in words, the picture, the runs within.
import { describe, expect, it } from 'vitest';
import type { CombineReport } from '../../src/report/combine-report.js';
import { combineLines } from '../../src/report/combine-terminal.js';
import {
  doneText,
  idleDetail,
  int8Text,
  keptText,
  missedText,
  spanText,
  takenSteps,
} from '../../src/report/combine-words.js';
import { renderReportFile } from '../../src/report/render.js';
import { lineWidth, plainText } from '../../src/report/span.js';
import { factorizedCombine, missedCombine, sampleCombine } from './combine-sample.js';

const REPORTS = ['m.slim.report.html', 'm.slim.report.md', 'm.slim.report.json'];
const SCREEN = 30;
const view = (report: CombineReport, width: number, verbosity: 0 | 1 | 2 = 0): string =>
  plainText(combineLines(report, { width, verbosity, reports: REPORTS }));

describe('the terminal view', () => {
  it.each([
    ['all well', sampleCombine()],
    ['gates missed', missedCombine()],
  ])('fits one screen of 80 and of 200 columns: %s', (_, report) => {
    for (const width of [80, 200]) {
      const lines = combineLines(report, { width, verbosity: 0, reports: REPORTS });
      expect(lines.length).toBeLessThanOrEqual(SCREEN);
      expect(lines.filter((line) => lineWidth(line) > width)).toEqual([]);
    }
  });

  it('says what was lost, what was done, what integers alone give, what it rests on', () => {
    const text = view(sampleCombine(), 250);
    expect(text).toMatch(/^mobilenetv2.onnx → mobilenetv2.slim.onnx +top-1 lost: 0.3 points/);
    expect(text).toMatch(
      /deepen, then prune, then int8: 5 of 9 blocks replaced; 12 % of channels removed; all 50 layers on integers \(-v says/,
    );
    expect(text).toMatch(
      /8-bit integers alone: 1.92x as fast, 0.4 points lost; the result runs in 0.71 of their time \(95 %: 0.69 … 0.73\)/,
    );
    expect(text).toMatch(
      /chosen for latency among deepen, prune, factorize, int8 on 1300 samples, 5 models in 12 min \(20 min to look\)/,
    );
  });

  it('shouts where it is slower, and says why nothing was kept, and of which classes', () => {
    const text = view(missedCombine(), 250);
    expect(text).toMatch(/SLOWER than the original by 4 %, which a run for latency allows/);
    expect(text).toMatch(/Nothing beyond the exact passes was kept: what was found loses too much\. What/);
    expect(text).toMatch(/its head cut to the classes\. \(-v says what was tried\)/);
    expect(text).toMatch(/3 classes of 1000: tiger <shark>, tabby, Egyptian cat \(samples by labels\)/);
  });

  it('-v adds every model that was made, and the changes that came to nothing', () => {
    const text = view(sampleCombine(), 250, 1);
    for (const expected of [
      /deepen \+ prune + deepen +12 % of channels removed +0.5 points +0.600x/,
      /deepen \+ prune \+ int8 .*the result/,
      /3 of 53 layers <b> .*another is better/,
      /factorize +deepen \+ prune +what it gives is not faster.*\[no-gain\] +no chain was measured faster/,
      /prune, deepen +deepen \+ prune +the time for looking was over \(--effort\) \[no-time\]/,
    ])
      expect(text).toMatch(expected);
  });
});

describe('words', () => {
  it('follow the result back to the slimmed model', () => {
    const sample = sampleCombine();
    expect(takenSteps(sample).map(({ name }) => name)).toEqual(['deepen', 'deepen + prune', 'deepen + prune + int8']);
    expect(doneText({ ...sample, result: 'slim' })).toBe('nothing beyond the exact passes');
    expect(doneText({ ...sample, kept: 'original' })).toBe('nothing beyond the exact passes');
    const turning = sample.steps.map((one) => ({ ...one, on: 'deepen' }));
    expect(doneText({ ...sample, steps: turning, result: 'deepen' })).toBe('deepen');
  });

  it('name the gate that was missed: the budget first', () => {
    const missed = missedCombine();
    expect(missedText(sampleCombine(), 'strict')).toBe(undefined);
    expect(missedText(missed, 'usual')).toBe('--latency 0.5x: nothing beyond the exact passes was kept');
    const { maxDrop } = missed.gates;
    expect(missedText({ ...missed, gates: maxDrop ? { maxDrop } : {} }, 'usual')).toMatch(/^--max-drop: top-1 lost/);
    expect(missedText({ ...missed, gates: {} }, 'strict')).toBe('--strict: nothing beyond the exact passes was kept');
    expect(missedText({ ...missed, gates: {} }, 'usual')).toBe(undefined);
  });

  it('say what integers alone give, that they are the result, or why there are none', () => {
    expect(int8Text(sampleCombine())?.tone).toBe('good');
    expect(int8Text(missedCombine())?.text).toBe('8-bit integers alone: 0.83x as fast, 0.4 points lost');
    expect(int8Text(factorizedCombine())?.text).toBe(
      '8-bit integers alone: integers for this processor cannot be timed on it',
    );
    expect(int8Text({ ...factorizedCombine(), idle: [] })).toBe(undefined);
    expect(int8Text({ ...missedCombine(), kept: 'changed', result: 'int8' })?.text).toMatch(/; they are the result$/);
    const { int8Alone, ...rest } = sampleCombine();
    const slower = int8Alone && { ...int8Alone, resultRatio: { value: 1.1, low: 1.05, high: 1.2 } };
    expect(int8Text({ ...rest, int8Alone: slower })?.tone).toBe('bad');
  });

  it('give the one reason for which nothing came of anything', () => {
    const none: CombineReport = { ...missedCombine(), steps: [] };
    const late = sampleCombine().idle.filter(({ code }) => code === 'no-time');
    expect(keptText({ ...none, idle: late })?.text).toMatch(
      /of every change that was tried, the time for looking was over/,
    );
    expect(keptText({ ...none, idle: sampleCombine().idle })?.text).toMatch(/no change pays within what may be lost/);
    expect(keptText({ ...none, result: undefined })?.text).toMatch(/What is written is the original/);
    expect(keptText(sampleCombine())).toBe(undefined);
  });

  it('translate the codes of runs within, and leave their sentences', () => {
    expect(idleDetail('deepen', 'slower-block')).toBe(
      'mostly: the model was measured no faster with it [slower-block]',
    );
    expect(idleDetail('prune', 'worth')).toMatch(/^mostly: .+ \[worth\]$/);
    expect(idleDetail('int8', 'grouped')).toMatch(/^mostly: a convolution of many groups/);
    expect(idleDetail('factorize', 'the model has a loop')).toBe('the model has a loop');
    expect(idleDetail('factorize', undefined)).toBe(undefined);
  });

  it('give durations as people say them', () => {
    expect([4.26, 90, 119.6, 600, 7200, 5400].map(spanText)).toEqual([
      '4.3 s',
      '90 s',
      '120 s',
      '10 min',
      '2 h',
      '90 min',
    ]);
  });
});

describe('pages', () => {
  it('draw loss against time, with the result, what is allowed, and integers alone by name', () => {
    const html = renderReportFile(sampleCombine(), 'r.html') ?? '';
    expect(html).toContain('Loss against time of what was looked at');
    expect(html).toContain('deepen: candidate 1 of 3: 0.9 points lost at 0.60x');
    expect(html).toContain('1 that lose far more are not drawn');
    expect(html).not.toContain('candidate 3 of 3: 80');
    expect(html).toMatch(/text-anchor="start">8-bit integers alone<\/text>/);
    expect(html.match(/r="8"/g)).toHaveLength(1);
    expect(html).toContain('allowed: 1');
    expect(html).not.toContain('layers <b>');
    expect(html).toContain('layers &lt;b&gt;');
  });

  it('draw no ring where nothing was kept', () => {
    const html = renderReportFile(missedCombine(), 'r.html') ?? '';
    expect(html).toContain('Loss against time of what was looked at');
    expect(html).not.toContain('r="8"');
  });

  it('fold the tables of each run under the name of its step', () => {
    const html = renderReportFile(sampleCombine(), 'r.html') ?? '';
    for (const title of ['Step deepen', 'Step deepen + prune', 'Step deepen + prune + int8'])
      expect(html).toContain(`>${title}</h2>`);
    for (const folded of ['Blocks that were replaced', 'What was not done, and why', 'In float, and why'])
      expect(html).toContain(`<details><summary>${folded}</summary>`);
    expect(html).toMatch(/<details><summary>All 22(\s|&nbsp;)groups of channels/);
    const chains = renderReportFile(factorizedCombine(), 'r.html') ?? '';
    expect(chains).toContain('<details><summary>Layers that are chains now</summary>');
  });

  it('stand in the order of questions, in Markdown, too', () => {
    const markdown = renderReportFile(sampleCombine(), 'r.md') ?? '';
    const titles = [...markdown.matchAll(/^## (.*)$/gm)].map((match) => match[1]);
    expect(titles.slice(0, 3)).toEqual(['What was tried', 'Where the time goes', 'Step deepen']);
    expect(titles.at(-1)).toBe('How it was measured');
    expect(markdown).toMatch(/DeepRebirth 2018, table 1/);
    expect(markdown).toContain('mcompress slim mobilenetv2.onnx --max-drop 1');
    expect(renderReportFile(missedCombine(), 'r.md')).toContain('## The classes that stay');
  });
});
