// What a run of quantization says: one screen in a terminal, the order of a page, gates in words, the picture.
import { describe, expect, it } from 'vitest';
import { depthChart } from '../../src/report/depth-chart.js';
import type { DepthBlock } from '../../src/report/document.js';
import { lossText } from '../../src/report/loss-words.js';
import type { QuantizeReport } from '../../src/report/quantize-report.js';
import { quantizeLines } from '../../src/report/quantize-terminal.js';
import {
  floatGroups,
  groupMeasuredText,
  keptText,
  measuredText,
  missedText,
  saturationText,
} from '../../src/report/quantize-words.js';
import { renderReportFile } from '../../src/report/render.js';
import { lineWidth, plainText } from '../../src/report/span.js';
import { guessedQuantize, missedQuantize, sampleQuantize } from './quantize-sample.js';

const REPORTS = ['m.int8.report.html', 'm.int8.report.md', 'm.int8.report.json'];
const SCREEN = 30;
const view = (report: QuantizeReport, width: number, verbosity: 0 | 1 | 2 = 0): string =>
  plainText(quantizeLines(report, { width, verbosity, reports: REPORTS }));

describe('the terminal view', () => {
  it.each([
    ['all well', sampleQuantize()],
    ['gates missed', missedQuantize()],
    ['no data', guessedQuantize()],
  ])('fits one screen of 80 and of 200 columns: %s', (_, report) => {
    for (const width of [80, 200]) {
      const lines = quantizeLines(report, { width, verbosity: 0, reports: REPORTS });
      expect(lines.length).toBeLessThanOrEqual(SCREEN);
      expect(lines.filter((line) => lineWidth(line) > width)).toEqual([]);
    }
  });

  it('says what was lost, what runs on integers, what it rests on', () => {
    const text = view(sampleQuantize(), 200);
    expect(text).toMatch(
      /^mobilenetv2\.onnx → mobilenetv2\.int8\.onnx +top-1 lost: 0\.3 points \(95 %: -0\.5 … 1\.1\), 900 samples\n/,
    );
    expect(text).toMatch(/file +13\.6 MiB +3\.5 MiB +-74 % +\(gzip 12\.6 → 3\.0 MiB\)/);
    expect(text).toMatch(/latency +8\.90 ms +4\.61 ms +-48 % +\(95 %: -49 … -47 %\), 1 thread, 61 rounds/);
    expect(text).toContain(
      'on integers: all 54 layers planned, as ONNX Runtime runs it; 1 in float: 1 no-int8-kernel (-v says why)',
    );
    expect(text).toContain('Of 900 samples 8 were lost and 5 gained: no significant difference');
    expect(text).toContain('--max-drop met: top-1 lost: 0.3 points of 0.5 points allowed; it may be up to 1.1 points');
    expect(text).toContain('calibrated on 100 samples in 41.3 s, 17 layers equalized, 52 biases corrected');
    expect(text).toMatch(/report: m\.int8\.report\.html, \.md, \.json$/);
  });

  it('names what was missed, and why', () => {
    const lines = quantizeLines(missedQuantize(), { width: 200, verbosity: 0, reports: [] });
    const text = plainText(lines);
    expect(text).toContain('on integers: 53 of 54 layers planned');
    expect(text).toContain('not fused: /features/features.0/conv/Conv: its result is also read by Add_3');
    expect(text).toContain('Mixed precision: 2 layers went back to float; 3 candidates were scored.');
    expect(text).toContain('--max-drop missed: top-1 lost: 4.0 points of 0.5 points allowed');
    expect(text).toContain('baseline: WORSE than nightly.report.json: file');
    expect(lines.flat().find((one) => one.text.startsWith('top-1 lost'))?.style).toBe('bad');
  });

  it('cries out without data, and claims no speed of a processor that is not here', () => {
    const text = view(guessedQuantize(), 200);
    expect(text).toContain('mobilenetv2.onnx (nothing written)');
    expect(text).toContain('the loss was not measured');
    expect(text).toContain('NO DATA was used');
    expect(text).toContain('latency: unmeasured on this machine (made for arm64)');
    expect(text).toContain('Nothing of int8 was kept');
    expect(text).not.toMatch(/on integers: /);
  });

  it('-v lists every reason and every layer', () => {
    const text = view(missedQuantize(), 160, 1);
    expect(text).toContain('ONNX Runtime has no integer kernel for this operator [no-int8-kernel]');
    expect(text).toContain('/features/features.52/conv/Conv');
    expect(text).toContain('given back to float to hold --max-drop');
  });
});

describe('what float rests on', () => {
  const of = (code: string, figures: Partial<QuantizeReport['layers'][number]> = {}): string =>
    measuredText({ form: 'float', code, ...figures });

  it('figures where there are some, and plainly nothing where there are none', () => {
    expect(of('slower', { int8Us: 44.2, floatUs: 3.14 })).toBe('float 3.1 µs, int8 44 µs');
    expect(of('loss', { outputsDb: 12.1 })).toBe('outputs at 12.1 dB with only it on integers');
    expect(of('loss', { outputsDb: 12.1, int8Us: 1, floatUs: 2 })).toContain('integers; float 2.0 µs, int8 1.0 µs');
    for (const code of ['grouped', 'slower', 'loss']) expect(of(code)).toBe('not measured');
  });

  it('rules of the runtime need no figure', () => {
    expect(of('no-int8-kernel')).toBe('');
    expect(measuredText({ form: 'int8' })).toBe('');
  });

  it('stands beside the reason', () => {
    const text = renderReportFile(missedQuantize(), 'r.md') ?? '';
    expect(text).toMatch(/slower\W+ \| 1 \| float 31 µs, int8 44 µs \|/);
    expect(text).toMatch(/loss\W+ \| 1 \| outputs at 12\.1 dB with only it on integers \|/);
  });

  it('sums the times of several layers', () => {
    const one = { name: 'a', opType: 'Conv', form: 'float', code: 'grouped', int8Us: 30, floatUs: 20 } as const;
    const timed = floatGroups({ ...sampleQuantize(), layers: [one, one] })[0];
    expect(timed && groupMeasuredText(timed)).toBe('all of them: float 40 µs, int8 60 µs');
    const { int8Us, floatUs, ...bare } = one;
    expect([int8Us, floatUs]).toEqual([30, 20]);
    const mixed = floatGroups({ ...sampleQuantize(), layers: [one, bare] })[0];
    expect(mixed && groupMeasuredText(mixed)).toBe('1 of them: float 20 µs, int8 30 µs');
    const untimed = floatGroups({ ...sampleQuantize(), layers: [bare, bare] })[0];
    expect(untimed && groupMeasuredText(untimed)).toBe('not measured');
  });
});

describe('the page', () => {
  const page = renderReportFile(sampleQuantize(), 'r.html') ?? '';
  const places = (titles: readonly string[], text: string): number[] =>
    titles.map((title) => text.indexOf(`>${title}<`));

  it('answers first, then says how it was measured', () => {
    const order = [
      ...['Smaller by', 'Faster by', 'As good as the original', 'On integers', 'What runs on integers'],
      ...['Before and after', 'Layer by layer', 'Value by value', 'Operators', 'How it was measured'],
    ];
    const found = places(order, page);
    expect(found).not.toContain(-1);
    expect(found).toEqual(found.toSorted((a, b) => a - b));
  });

  it('says gained where the model is better', () => {
    const { accuracy, ...report } = sampleQuantize();
    const valueOf = (value: number): string => {
      const loss = { measure: 'top-1 lost', unit: 'points', value } as const;
      return renderReportFile({ ...report, accuracy: { ...accuracy, loss } }, 'r.md') ?? '';
    };
    expect(valueOf(-0.2)).toContain('As good as the original: **0.2 points gained**');
    expect(valueOf(0.2)).toContain('As good as the original: **0.2 points lost**');
  });

  it('draws one dot per layer with a figure, one tick per other', () => {
    const chart = /<title>Signal to noise of the layers[^]*?<\/svg>/.exec(page)?.[0] ?? '';
    expect(chart.match(/<circle class="s-after"/g)).toHaveLength(53);
    expect(chart.match(/class="m-plain"/g)).toHaveLength(1);
    expect(chart).toContain('From 19.5 dB to 44.1 dB over 53 layers');
    expect(renderReportFile(missedQuantize(), 'r.html')).toContain('<circle class="s-bad"');
  });

  it('shows the steps of a search, misses, and the ranges that were cut', () => {
    const text = renderReportFile(missedQuantize(), 'r.md') ?? '';
    expect(text).toMatch(/\| 1 \| 4\.0 points \| -47 % \| `\/classifier\/loss\/Gemm` \|/);
    expect(text).toContain('53 of 54 planned layers run on integers; 2 conversions between float and integers inside');
    expect(text).toMatch(
      /\| `\/features\/features\.3\/conv\/Conv_output_0` \| -31\.5 … 44\.1 \| -14\.2 … 17\.9 \| 42 % \| mse/,
    );
  });

  it('says of another processor that it was not measured', () => {
    expect(renderReportFile(guessedQuantize(), 'r.html')).toContain('unmeasured on this machine');
  });
});

describe('the picture', () => {
  const block = (values: readonly (number | undefined)[]): DepthBlock => ({
    kind: 'depth',
    caption: 'c',
    description: 'd',
    unit: 'dB',
    points: values.map((value, at) => ({ label: `l${at}`, look: 'usual', ...(value === undefined ? {} : { value }) })),
    legend: ['a', 'b', 'c'],
  });
  const heights = (values: readonly (number | undefined)[]): number[] =>
    [...depthChart(block(values)).matchAll(/cy="([\d.]+)"/g)].map(([, y]) => Number(y));

  it('puts higher values higher, and 0 at the bottom', () => {
    expect(heights([0, 20, 40])).toEqual([180, 94, 8]);
  });

  it('holds values below 0', () => {
    const [low = 0, high = 0] = heights([-7, 20]);
    expect(low).toBeGreaterThan(high);
    expect(low).toBeLessThanOrEqual(180);
  });
});

describe('in words', () => {
  it('puts float layers together by reason, most first', () => {
    const report = missedQuantize();
    const twice = { ...report, layers: [...report.layers, ...report.layers.filter(({ code }) => code === 'loss')] };
    expect(floatGroups(twice).map(({ code, layers }) => [code, layers.length])).toEqual([
      ['loss', 2],
      ['no-int8-kernel', 1],
      ['slower', 1],
    ]);
  });

  it('names the gate that was missed: --max-drop, --require-fused, the baseline, --strict', () => {
    const report = missedQuantize();
    expect(missedText(report, 'usual')).toMatch(/^--max-drop: top-1 lost: 4\.0 points of 0\.5/);
    const fused = { ...report, gates: { requireFused: { verdict: 'missed' as const } } };
    expect(missedText(fused, 'usual')).toBe(
      '--require-fused: ONNX Runtime runs 1 layer in float, /features/features.0/conv/Conv for one (its result is also read by Add_3)',
    );
    expect(missedText({ ...report, gates: {} }, 'usual')).toBe('worse than nightly.report.json');
    expect(missedText(guessedQuantize(), 'usual')).toBeUndefined();
    expect(missedText(guessedQuantize(), 'strict')).toBe('--strict: what is lost could not be measured');
    expect(missedText(sampleQuantize(), 'strict')).toBeUndefined();
  });

  it('says why nothing of int8 was kept', () => {
    const report = { ...missedQuantize(), kept: 'original' as const };
    expect(keptText(report)?.text).toContain(
      'none of the 3 candidates that were scored was faster and held --max-drop',
    );
    const layers = report.layers.filter(({ code }) => code !== 'loss');
    expect(keptText({ ...report, layers })?.text).toContain('with any of it the model was measured slower');
    expect(keptText({ ...report, layers: [] })?.text).toContain('the warnings say why');
    expect(keptText({ ...report, kept: 'int8' })).toBeUndefined();
  });

  it('does not call an unproven loss good or bad', () => {
    expect(lossText({ ...sampleQuantize(), gates: {} }, 'no').tone).toBe('plain');
    expect(lossText({ ...missedQuantize(), gates: {} }, 'no').tone).toBe('bad');
  });

  it('warns of overflow where the target has no VNNI, tells where another may be run, and is silent on Arm', () => {
    const report = sampleQuantize();
    expect(saturationText(report)).toMatchObject({ tone: 'plain', text: expect.stringContaining('35 of 53 layers') });
    expect(saturationText({ ...report, target: 'x64-avx2' })?.tone).toBe('warn');
    expect(saturationText({ ...report, target: 'arm64' })).toBeUndefined();
    const safe = { ...report, layers: report.layers.map((layer) => ({ ...layer, saturating: 0 })) };
    expect(saturationText(safe)?.text).toContain('no sum of two products can pass 16 bits');
  });
});
