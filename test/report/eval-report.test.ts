// What an evaluation says, in words, in a terminal, as a picture.
import { describe, expect, it } from 'vitest';
import { pairedDifference, wilson } from '../../src/pipeline/evaluation/statistics.js';
import { confusionBlock } from '../../src/report/confusion-block.js';
import { documentLines } from '../../src/report/document-lines.js';
import {
  gateSentence,
  lossValue,
  pairedSentence,
  percentText,
  shareInterval,
  shareText,
} from '../../src/report/eval-words.js';
import { renderReportFile, reportDocument } from '../../src/report/render.js';
import type { Report } from '../../src/report/schema.js';
import { plainText } from '../../src/report/span.js';
import { sampleEval, sampleImageEval } from './eval-sample.js';

const terminal = (report: Report): string =>
  plainText(documentLines(reportDocument(report), { width: 110, folded: 'hide' }));

describe('in words', () => {
  it('gives a share and its interval, finer with more samples', () => {
    expect([shareText(wilson(915, 1000)), shareInterval(wilson(915, 1000))]).toEqual(['91.5 %', '95 %: 89.6 … 93.1 %']);
    expect(shareText(wilson(9891, 10000))).toBe('98.91 %');
  });

  it('says whether a difference is significant', () => {
    expect(pairedSentence(pairedDifference(5, 2, 1000))).toBe(
      'Of 1000 samples 5 were lost and 2 gained: no significant difference, it may be chance ' +
        '(95 %: -0.2 … 0.8 points lost; McNemar p = 0.45).',
    );
    expect(pairedSentence(pairedDifference(25, 8, 1000))).toMatch(
      /significantly worse \(95 %: 0\.6 … 2\.8 points lost; McNemar p = 0\.0046\)/,
    );
    expect(pairedSentence(pairedDifference(2, 40, 1000))).toMatch(/significantly better .*p below 0\.001/);
    expect(pairedSentence(pairedDifference(0, 0, 300))).toBe(
      'Both are right on the same samples of 300: no difference (95 %: -1.3 … 1.3 points lost).',
    );
  });

  it('gives losses with their unit', () => {
    expect(lossValue({ value: -0.2, unit: 'points' })).toBe('-0.2 points');
    expect(lossValue({ value: 0.02, unit: 'points' })).toBe('0.02 points');
    expect(lossValue({ value: 0.0342, unit: 'percent' })).toBe('0.034 %');
    expect(lossValue({ value: undefined, unit: 'percent' })).toBe('not a number');
    expect([0, 1e-9, 0.5, 12.34, 812.3].map(percentText)).toEqual(['0', '1.0e-9', '0.5', '12.3', '812']);
  });

  it('decides a gate by the loss as measured, and says how sure that is', () => {
    const loss = (value: number, low: number, high: number) =>
      ({ measure: 'top-1 lost', unit: 'points', value, interval: { value, low, high } }) as const;
    expect(
      gateSentence({ ...loss(1.1, -0.5, 2.7), verdict: 'not-significant' }, { maxDrop: 1, verdict: 'missed' }),
    ).toBe('top-1 lost: 1.1 points of 1.0 points allowed; the difference is not significant: more samples would tell.');
    expect(gateSentence({ ...loss(0.8, 0.2, 1.4), verdict: 'significant' }, { maxDrop: 1, verdict: 'met' })).toBe(
      'top-1 lost: 0.8 points of 1.0 points allowed; it may be up to 1.4 points.',
    );
    expect(gateSentence({ ...loss(4, 3, 5), verdict: 'significant' }, { maxDrop: 1, verdict: 'missed' })).toBe(
      'top-1 lost: 4.0 points of 1.0 points allowed.',
    );
  });
});

it('prints accuracy, loss, classes and confusions on one screen', () => {
  const text = terminal(sampleEval());
  expect(text).toMatch(/Top-1: 81\.0 % {2}810 of 1000, 95 %: 78\.\d … 83\.\d %; top-5 99\.6 %; cross entropy 0\.3842/);
  expect(text).toMatch(/Loss \(top-1 lost\): 1\.1 points {2}38 lost, 27 gained: not significant/);
  expect(text).toMatch(/--max-drop: top-1 lost: 1\.1 points of 1\.0 points allowed; the difference is not significant/);
  expect(text).toMatch(/9 truck +100 +72\.0 % .* 73\.0 % +0 airplane \(25\)/);
  expect(text).toMatch(/Most frequent confusions\n.*\n9 truck +0 airplane +25 +100\n/);
  expect(text).toMatch(/9\/truck\.jpg +9 truck +no number/);
  expect(text).toMatch(/broken\/1\.jpg +the file ends too early/);
});

it('prints errors of outputs that are no classes', () => {
  const text = terminal(sampleImageEval());
  expect(text).toContain('Loss (relative error): 0.034 %  of the energy of "outputImage", the worst output');
  expect(text).toMatch(/outputImage +0\.034 % +34\.7 dB +38\.1 dB of 255 +33\.9 dB +night\.jpg +0\.11 %/);
  expect(text).toMatch(/same +0 % +equal/);
});

describe('the confusion matrix', () => {
  const block = (count: number) => confusionBlock(sampleEval(count), String);

  it('shows all classes up to 60, and of more the 40 with the most errors', () => {
    expect(block(60)).toMatchObject({ rows: { length: 60 }, columns: { length: 60 } });
    const worst = block(100);
    expect(worst).toMatchObject({ rows: { length: 40 }, columns: { length: 41 } });
    expect(worst?.caption).toContain('the 40 of 100 classes with the most errors');
    // Errors of a class and those that were taken for it: 54, 50, 46, 42 for classes that end in 9, 8, 7, 6; then 38 for 0 and 5.
    expect(new Set(worst?.rows.map((row) => Number(row) % 10))).toEqual(new Set([6, 7, 8, 9]));
  });

  it('loses no sample: what is left out stands in the last column', () => {
    const worst = block(100);
    const rows = new Map<number, number>();
    for (const { row, count } of worst?.cells ?? []) rows.set(row, (rows.get(row) ?? 0) + count);
    expect([...rows.values()].every((sum) => sum === 100)).toBe(true);
  });

  it('is a picture with a title on every cell, shaded by its share of the row', () => {
    const page = renderReportFile(sampleEval(), 'r.html') ?? '';
    expect(page).toContain('<title>3 cat taken for 4 deer: 13 of 100</title><rect class="s-bad" fill-opacity="0.45"');
    expect(page).toContain(
      '<title>0 airplane taken for 0 airplane: 90 of 100</title><rect class="s-after" fill-opacity="0.96"',
    );
  });
});
