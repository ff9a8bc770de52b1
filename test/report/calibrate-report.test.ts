// The report of a calibration: what it is built from, and what a reader finds in it.
import { describe, expect, it } from 'vitest';
import { RANGE, type RangeState } from '../../src/fit/range.js';
import type { CalibrationCache } from '../../src/pipeline/calibration/cache.js';
import { buildCalibrateReport, buildMergeReport } from '../../src/report/build-calibrate-report.js';
import { calibrateDocument } from '../../src/report/calibrate-document.js';
import type { CalibrateReport } from '../../src/report/calibrate-report.js';
import { documentLines } from '../../src/report/document-lines.js';
import { writeReport } from '../../src/report/json.js';
import { plainText } from '../../src/report/span.js';
import { sampleCalibrate, sampleGuess, sampleMerged } from './calibrate-sample.js';

const view = (report: CalibrateReport, folded: 'show' | 'hide' = 'hide', width = 160): string =>
  plainText(documentLines(calibrateDocument(report), { width, folded }));

function state(...numbers: readonly number[]): RangeState {
  const accumulator = RANGE.create({ kind: 'range', values: ['v'] });
  accumulator.add(new Map([['v', { data: Float32Array.from(numbers), dims: [numbers.length] }]]));
  return accumulator.state();
}

const cache: CalibrationCache = {
  model: 'a'.repeat(64),
  data: { kind: 'samples', digest: 'b'.repeat(64), order: 'stored', seed: 0, total: undefined },
  parts: [{ from: 0, to: 3 }],
  samples: 2,
  skipped: Array.from({ length: 30 }, (_, at) => ({ name: `s${at}`, reason: 'damaged' })),
  values: new Map([
    ['conv', state(-1, 0, 0, 3)],
    ['broken', state(Number.NaN)],
  ]),
};

describe('buildCalibrateReport', () => {
  it('has every value with the range of every calibrator, and can be written', () => {
    const report = buildCalibrateReport(
      {
        file: { name: 'm.onnx', bytes: 10, gzipBytes: undefined, sha256: 'a'.repeat(64) },
        cache,
        normalization: undefined,
        warnings: ['w'],
        elapsedMs: 5,
      },
      'm.onnx',
      { output: 'c.json', dataName: 'images', preparation: ['image folder'], threads: 2 },
    );
    expect(report.values).toMatchObject([
      { name: 'conv', elements: 4, counted: 4, zeros: 2, nonFinite: 0, min: -1, max: 3 },
      { name: 'broken', elements: 0, nonFinite: 1 },
    ]);
    expect(report.values[0]?.ranges[0]).toEqual({ calibrator: 'min-max', min: -1, max: 3 });
    expect(report.values[1]?.ranges.every(({ min, max }) => min === 0 && max === 0)).toBe(true);
    expect(report.data).toMatchObject({ samples: 2, skippedCount: 30, name: 'images' });
    expect(report.data.skipped).toHaveLength(20);
    expect(JSON.parse(writeReport(report))).toMatchObject({ kind: 'calibrate', threads: 2, warnings: ['w'] });
    expect(JSON.parse(writeReport(buildMergeReport(cache, 'c.json', 3)))).toMatchObject({
      merged: 3,
      output: 'c.json',
    });
  });
});

describe('what it says', () => {
  it('how much was seen, where it was written, what is cut', () => {
    const text = view(sampleCalibrate());
    expect(text).toContain('Calibrated: 16 values  written to mobilenetv2.calibration.json');
    expect(text).toContain('Samples: 498  44.0 ms each, 2 samples skipped');
    expect(text).toMatch(/Outliers: \d+ % of the range kept/);
    expect(text).toContain('Values with the rarest outliers');
    expect(text).toContain('images: 0 to 500 of 500, drawn by the seed 7');
    expect(text).not.toContain('All ranges');
    expect(view(sampleCalibrate(), 'show')).toContain('All ranges');
    expect(view(sampleCalibrate(), 'show')).toContain('premature end of JPEG data');
  });

  it('that there was no data', () => {
    const text = view(sampleGuess());
    expect(text).toContain('Samples: none  16 random inputs');
    expect(text).toContain('NO DATA');
  });

  it('how many caches were merged', () => {
    const text = view(sampleMerged());
    expect(text).toContain('4 caches merged');
    expect(text).not.toContain('each');
  });
});
