// The words of a report: rows of the before/after table, and the four answers on top.
import { describe, expect, it } from 'vitest';
import { answers, figureRows } from '../../src/report/figures.js';
import type { SlimReport } from '../../src/report/report.js';
import { sampleReport, troubledReport } from './sample.js';

const brief = (report: SlimReport): string[] =>
  answers(report).map(({ question, value, tone }) => `${question}: ${value} [${tone}]`);

describe('answers', () => {
  it('says what was gained', () => {
    expect(brief(sampleReport())).toEqual([
      'Smaller by: 1 % [good]',
      'Speed: no difference [plain]',
      'As good as the original: agrees [good]',
      'Skipped: 3 sites [plain]',
    ]);
  });

  it('says what was lost', () => {
    expect(brief(troubledReport())).toEqual([
      'Larger by: 4 % [bad]',
      'Slower by: 11 % [bad]',
      'As good as the original: agrees [warn]',
      'Skipped: 16 sites [plain]',
    ]);
  });

  it('says what is not known', () => {
    const sample = sampleReport();
    const figures = {
      ...sample.figures,
      fileBytes: { before: 100000, after: 100010 },
      latency: undefined,
      gzipBytes: undefined,
    };
    const verification = { ...sample.verification, verdict: 'unverified' as const, reason: 'no usable feed' };
    const report = { ...sample, figures, verification, declines: [] };
    expect(brief(report)).toEqual([
      'File size: same [plain]',
      'Speed: not measured [plain]',
      'As good as the original: unverified [warn]',
      'Skipped: nothing [plain]',
    ]);
    expect(answers(report)[2]?.detail).toBe('no usable feed');
  });
});

describe('figureRows', () => {
  const rowOf = (figures: Partial<SlimReport['figures']>, key: string): string | undefined => {
    const row = figureRows({ ...sampleReport().figures, ...figures }).find((one) => one.key === key);
    return row && [row.before, row.after, row.change, row.tone].join(' | ');
  };

  it('marks a counted figure whatever its change, a measured one only beyond its noise', () => {
    expect(rowOf({ macs: { before: 1000, after: 1010 } }, 'macs')).toBe('1.00 k | 1.01 k | +1 % | bad');
    expect(rowOf({ peakProcessBytes: { before: 10 * 1024, after: 10.4 * 1024 } }, 'peakProcessBytes')).toBe(
      '10.0 KiB | 10.4 KiB | +4 % | plain',
    );
    expect(rowOf({ peakProcessBytes: { before: 10 * 1024, after: 10.6 * 1024 } }, 'peakProcessBytes')).toBe(
      '10.0 KiB | 10.6 KiB | +6 % | bad',
    );
  });

  it('copes with nothing before', () => {
    expect(rowOf({ parameters: { before: 0, after: 0 } }, 'parameters')).toBe('0 | 0 | 0 % | plain');
    expect(rowOf({ parameters: { before: 0, after: 5 } }, 'parameters')).toBe('0 | 5 | new | bad');
  });

  it('names uncounted nodes only where there are some', () => {
    expect(rowOf({ nodesNotCounted: { before: 0, after: 0 } }, 'nodesNotCounted')).toBeUndefined();
    expect(rowOf({ nodesNotCounted: { before: 2, after: 1 } }, 'nodesNotCounted')).toBe('2 | 1 | -50 % | good');
  });
});
