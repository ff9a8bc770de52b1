// The terminal views, as a reader sees them.
import { describe, expect, it } from 'vitest';
import { documentLines } from '../../src/report/document-lines.js';
import { reportDocument } from '../../src/report/render.js';
import type { SlimReport } from '../../src/report/report.js';
import { lineWidth, plainText } from '../../src/report/span.js';
import { slimLines } from '../../src/report/terminal.js';
import { ALL_SAMPLES } from './all-samples.js';
import { sampleCompare, sampleInspect, sampleProfile } from './other-samples.js';
import { sampleReport, troubledReport } from './sample.js';

const REPORTS = ['mobilenetv2.slim.report.html', 'mobilenetv2.slim.report.md', 'mobilenetv2.slim.report.json'];
const view = (report: SlimReport, width: number, verbosity: 0 | 1 | 2 = 0): string =>
  plainText(slimLines(report, { width, verbosity, reports: REPORTS }));

const TABLE = `
              before     after
nodes            221        99   -55 %
file        13.6 MiB  13.4 MiB    -1 %   (gzip 12.6 → 12.5 MiB)
parameters    3.54 M    3.49 M    -1 %
MACs         300.8 M   300.8 M     0 %
memory       9.6 MiB   4.8 MiB   -50 %   peak of activations`;

it('fits one screen of 120 columns', () => {
  expect(view(sampleReport(), 120))
    .toBe(`mobilenetv2.onnx → mobilenetv2.slim.onnx                        agrees with the original: worst 1.6e-6 of scale, 6 feeds
${TABLE}
latency      8.90 ms   8.71 ms           no difference (95 %: -4 … +0.9 %), 1 thread, 61 rounds, processor time
load         48.2 ms   31.4 ms   -35 %   (95 %: -37 … -33 %)

70 constants lifted · 52 BatchNormalization folded into Conv · 68 equal constants shared · 3 sites declined (mcompress
  slim -v, or the report)
warning: other work used the processor (cpu/wall 0.83), so processor time decided
report: mobilenetv2.slim.report.html, .md, .json`);
});

it('fits 80 columns by breaking between words', () => {
  expect(view(sampleReport(), 80)).toBe(`mobilenetv2.onnx → mobilenetv2.slim.onnx
agrees with the original: worst 1.6e-6 of scale, 6 feeds
${TABLE}
latency      8.90 ms   8.71 ms           no difference (95 %: -4 … +0.9 %), 1
                                         thread, 61 rounds, processor time
load         48.2 ms   31.4 ms   -35 %   (95 %: -37 … -33 %)

70 constants lifted · 52 BatchNormalization folded into Conv · 68 equal
  constants shared · 3 sites declined (mcompress slim -v, or the report)
warning: other work used the processor (cpu/wall 0.83), so processor time
  decided
report: mobilenetv2.slim.report.html, .md, .json`);
});

it('says what went wrong, in words and in style', () => {
  const lines = slimLines(troubledReport(), { width: 200, verbosity: 0, reports: [] });
  const text = plainText(lines);
  const slower = 'SLOWER (95 %: +8 … +15 %), 1 thread, 61 rounds';
  expect(text).toContain('agrees with the original, 1 wrong rewrite undone: worst 2.4e-6 of scale, 6 feeds');
  expect(text).toContain(`+11 %   ${slower}`);
  expect(text).toContain(
    'undone, a defect of fuse-hard-swish at /features/features.4/Mul; reproducer: mobilenetv2.repro',
  );
  expect(text).toContain(
    'baseline: WORSE than nightly.report.json: file; not compared: latency (another machine: AMD EPYC 7B13 then, Apple M2 now)',
  );
  expect(
    lines
      .flat()
      .filter(({ style }) => style === 'bad')
      .map((one) => one.text.trim()),
  ).toEqual(['+4 %', '+11 %', slower, expect.stringContaining('baseline: WORSE')]);
  expect(text).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
});

it('calls no defect what a lossy pass changed too much', () => {
  const report = troubledReport();
  const undone = [{ pass: 'quantize-dynamic', node: 'lstm', worstRelative: 0.4 }];
  const [ran] = report.passes;
  if (!ran) throw new TypeError('the sample has passes');
  const passes = [...report.passes, { ...ran, pass: 'quantize-dynamic', exactness: 'lossy' as const }];
  const lossy = { ...report, passes, verification: { ...report.verification, undone } };
  const text = plainText(slimLines(lossy, { width: 200, verbosity: 1, reports: [] }));
  expect(text).toContain('undone: quantize-dynamic at lstm changed the outputs by more than it may on made-up inputs');
  expect(text).toContain('Rewrites undone: they changed the outputs by more than their pass may');
  expect(text).not.toContain('defect');
});

describe('verdicts', () => {
  const base = sampleReport();
  it.each([
    [
      'unverified',
      { reason: 'no feed could be made for input "ids"' },
      'UNVERIFIED: no feed could be made for input "ids"',
      'warn',
    ],
    ['skipped', { reason: '--verify off' }, 'not compared with the original: --verify off', 'warn'],
    ['agrees', {}, 'agrees with the original: worst 1.6e-6 of scale, 6 feeds', 'good'],
    ['agrees', { worstRelative: 0 }, 'agrees with the original: equal outputs, 6 feeds', 'good'],
  ] as const)('%s', (verdict, more, text, style) => {
    const lines = slimLines(
      { ...base, verification: { ...base.verification, verdict, ...more } },
      { width: 200, verbosity: 0, reports: [] },
    );
    expect(lines[0]?.at(-1)).toEqual({ text, style });
  });
});

it('leaves out what was not measured, and says so where nothing was written', () => {
  const sample = sampleReport();
  const figures = { ...sample.figures, latency: undefined, load: undefined, macs: undefined };
  const text = view({ ...sample, output: undefined, figures, passes: [], declines: [] }, 120);
  expect(text).not.toMatch(/^(latency|load|MACs)/m);
  expect(text).toContain('mobilenetv2.onnx (nothing written)');
  expect(text).toContain('nothing to rewrite');
  expect(text).not.toContain('declined');
});

it('-v shows passes and every reason with its places, -vv all places and times', () => {
  const sample = sampleReport();
  const many = {
    ...sample,
    declines: Array.from({ length: 9 }, (_, at) => ({
      pass: 'fold-batch-norm',
      code: 'shared',
      message: 'the weights are shared',
      node: `conv${at}`,
      count: 1,
    })),
  };
  const v = view(many, 100, 1);
  expect(v).toContain('fold-batch-norm  52 BatchNormalization folded into Conv');
  expect(v).toContain(
    'fold-batch-norm: the weights are shared [shared], 9 sites\n  conv0\n  conv1\n  conv2\n  and 6 more (-vv)',
  );
  expect(v).not.toContain('took');
  const vv = view(many, 100, 2);
  expect(vv).toContain('  conv8\n');
  expect(vv).toMatch(/took\n.*3\.10 ms/);
});

it.each(ALL_SAMPLES)('%s keeps to the width', (_, report) => {
  for (const width of [80, 100, 200]) {
    const wide = documentLines(reportDocument(report), { width, folded: 'show' }).filter(
      (line) => lineWidth(line) > width,
    );
    expect(wide.map((line) => plainText([line]))).toEqual([]);
  }
});

it('inspect, profile and compare say the main things', () => {
  const text = (report: Parameters<typeof reportDocument>[0]): string =>
    plainText(documentLines(reportDocument(report), { width: 120, folded: 'hide' }));
  const inspect = text(sampleInspect());
  expect(inspect).toContain('IR 7, opset 13, com.example 1');
  expect(inspect).toContain('batch×3×224×224');
  expect(inspect).toMatch(
    /NNAPI +the batch size is not fixed; give --freeze input:1x3x224x224 \(input\) \[dynamic-shape\]/,
  );
  expect(inspect).toMatch(/Conv +52 +299\.5 M +100 %/);
  expect(inspect).toMatch(/com\.example\.Fancy +1 .*unknown operator: left alone/);
  expect(inspect).toContain('1 group of 2 can be pruned, 32 units in all.');
  expect(inspect).toMatch(/output +1000 +1 +0 +1 +graph-output: output +\/classifier\/Gemm/);
  expect(inspect).toMatch(/graph-output +the caller gets it/);
  expect(inspect).not.toContain('What is cut when a unit leaves');
  const profile = text(sampleProfile());
  expect(profile).toContain('8.90 ms (p90 9.32 ms, p99 11.2 ms), 1 thread');
  expect(profile).toMatch(/features\.2\S* +Conv +1×96×112×112 +19\.27 M +483 µs +5 % +█{16} /);
  expect(profile).toMatch(/ReorderInput +2 +96\.0 µs +1 % +added by the runtime/);
  expect(profile).toContain('runtime fusion off: 14.5 ms  57 % (8.30 ms) · 43 % (6.24 ms) · 0 % (0 µs)');
  const compare = text(sampleCompare());
  expect(compare).toContain(
    'The models: DIFFER  output "boxes" is beyond the tolerance; worst 2.4e-2, allowed 1.0e-4 of scale, 6 feeds',
  );
  expect(compare).toContain('First beyond the tolerance: add3, made by Add_3 in A and Conv_2 in B (2.1e-2 of scale).');
  expect(compare).toMatch(/mask +B returns another shape/);
  expect(compare).toMatch(/nan +not a number/);
});
