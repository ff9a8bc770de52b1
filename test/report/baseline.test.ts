// When a figure counts as worse than in an earlier report, and when it is not compared.
import { expect, it } from 'vitest';
import { compareWithBaseline } from '../../src/report/baseline.js';
import type { SlimReport } from '../../src/report/report.js';
import { sampleReport } from './sample.js';

type Figures = SlimReport['figures'];

function withFigures(figures: Partial<Figures>, changes: Partial<SlimReport> = {}): SlimReport {
  const sample = sampleReport();
  return { ...sample, ...changes, figures: { ...sample.figures, ...figures } };
}
const latency = (p50Ms: number, p90Ms: number, value: number, low: number, high: number): Figures['latency'] => {
  const sample = sampleReport().figures.latency;
  return sample && { ...sample, after: { p50Ms, p90Ms, p99Ms: p90Ms * 1.2 }, ratio: { value, low, high } };
};
const verdictOf = (earlier: SlimReport, now: SlimReport, figure: string): string | undefined =>
  compareWithBaseline(earlier, now, 'old.json').figures.find((one) => one.figure === figure)?.verdict;

it('is met by the same report, and takes the values after slimming', () => {
  const result = compareWithBaseline(sampleReport(), sampleReport(), 'old.json');
  expect(result).toMatchObject({ name: 'old.json', verdict: 'met' });
  expect(result.figures.map(({ verdict }) => verdict)).toEqual([
    'same',
    'same',
    'same',
    'same',
    'same',
    'same',
    'same',
  ]);
  expect(result.figures[0]).toEqual({ figure: 'nodes', label: 'nodes', earlier: 99, now: 99, verdict: 'same' });
});

it.each([
  ['nodes', { nodes: { before: 221, after: 100 } }],
  ['fileBytes', { fileBytes: { before: 14246826, after: 14054120 * 1.002 } }],
  ['gzipBytes', { gzipBytes: { before: 13212057, after: 13105310 * 1.006 } }],
  ['parameters', { parameters: { before: 3539138, after: 3487903 } }],
  ['macs', { macs: { before: 300774272, after: 300774273 } }],
  ['peakActivationBytes', { peakActivationBytes: { before: 1, after: 5017601 } }],
] as const)('%s that grew is a regression, the other way round a gain', (figure, figures) => {
  const grown = withFigures(figures);
  expect(verdictOf(sampleReport(), grown, figure)).toBe('worse');
  expect(compareWithBaseline(sampleReport(), grown, 'old.json').verdict).toBe('regressed');
  expect(verdictOf(grown, sampleReport(), figure)).toBe('better');
  expect(compareWithBaseline(grown, sampleReport(), 'old.json').verdict).toBe('met');
});

it('lets a file grow by bytes that a version string costs', () => {
  expect(
    verdictOf(sampleReport(), withFigures({ fileBytes: { before: 14246826, after: 14054120 + 40 } }), 'fileBytes'),
  ).toBe('same');
});

it('does not compare what one of the two does not know', () => {
  const result = compareWithBaseline(sampleReport(), withFigures({ macs: undefined }), 'old.json');
  expect(result.figures.find(({ figure }) => figure === 'macs')).toEqual({
    figure: 'macs',
    label: 'MACs',
    earlier: 300774272,
    verdict: 'not-compared',
    reason: 'not known now',
  });
  expect(result.verdict).toBe('met');
});

it('does not compare MACs that leave out different nodes', () => {
  const now = withFigures({ macs: { before: 4e8, after: 4e8 }, nodesNotCounted: { before: 1, after: 1 } });
  expect(verdictOf(sampleReport(), now, 'macs')).toBe('not-compared');
  expect(verdictOf(withFigures({ nodesNotCounted: { before: 1, after: 1 } }), now, 'macs')).toBe('worse');
});

it('same input: the ratio to the original decides, beyond both intervals', () => {
  const earlier = withFigures({ latency: latency(8.7, 9.1, 0.98, 0.96, 1.0) });
  expect(verdictOf(earlier, withFigures({ latency: latency(8.9, 9.3, 1.01, 0.99, 1.03) }), 'latency')).toBe('same');
  expect(verdictOf(earlier, withFigures({ latency: latency(9.2, 9.6, 1.04, 1.01, 1.07) }), 'latency')).toBe('worse');
  expect(verdictOf(earlier, withFigures({ latency: latency(7.2, 7.6, 0.8, 0.78, 0.82) }), 'latency')).toBe('better');
});

it('same input: a machine that is twice as busy is no regression', () => {
  const earlier = withFigures({ latency: latency(8.7, 9.1, 0.98, 0.96, 1.0) });
  expect(verdictOf(earlier, withFigures({ latency: latency(17.9, 22, 0.985, 0.9, 1.05) }), 'latency')).toBe('same');
});

it('another input: medians decide, beyond the earlier 90th percentile and the noise', () => {
  const earlier = withFigures({ latency: latency(8.7, 9.1, 0.98, 0.96, 1.0) });
  const retrained = { input: { ...sampleReport().input, sha256: 'ff' } };
  expect(verdictOf(earlier, withFigures({ latency: latency(9.0, 9.4, 1.3, 1.28, 1.32) }, retrained), 'latency')).toBe(
    'same',
  );
  expect(verdictOf(earlier, withFigures({ latency: latency(9.6, 9.9, 0.7, 0.69, 0.71) }, retrained), 'latency')).toBe(
    'worse',
  );
  expect(verdictOf(earlier, withFigures({ latency: latency(9.6, 9.9, 0.7, 0.5, 0.9) }, retrained), 'latency')).toBe(
    'same',
  );
  expect(verdictOf(earlier, withFigures({ latency: latency(7.0, 7.4, 0.98, 0.97, 0.99) }, retrained), 'latency')).toBe(
    'better',
  );
});

it.each([
  [
    'another machine',
    { machine: { ...sampleReport().machine, fingerprint: 'apple-m2/8/arm64', cpu: 'Apple M2' } },
    {},
    'another machine: AMD EPYC 7B13 then, Apple M2 now',
  ],
  [
    'another number of threads',
    {},
    { latency: { ...(latency(20, 21, 2, 1.9, 2.1) ?? raise()), threads: 4 } },
    '1 threads then, 4 now',
  ],
  ['no measurement', {}, { latency: undefined }, 'not measured now'],
] as const)('%s: latency is not compared, and that is said', (_, changes, figures, reason) => {
  const result = compareWithBaseline(sampleReport(), withFigures(figures, changes), 'old.json');
  expect(result.figures.at(-1)).toMatchObject({ figure: 'latency', verdict: 'not-compared', reason });
  expect(result.verdict).toBe('met');
});

function raise(): never {
  throw new Error('the sample has no latency');
}

it('mentions another runtime version', () => {
  const now = withFigures({}, { versions: { ...sampleReport().versions, onnxruntime: '1.31.0' } });
  expect(compareWithBaseline(sampleReport(), now, 'old.json').figures.at(-1)?.reason).toContain(
    'ONNX Runtime 1.30.0 then, 1.31.0 now',
  );
});
