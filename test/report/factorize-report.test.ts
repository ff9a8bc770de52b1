// What a factorization run says: one screen in a terminal, the order of a page, gates in words, the picture.
import { describe, expect, it } from 'vitest';
import type { FactorizeReport } from '../../src/report/factorize-report.js';
import { factorizeLines } from '../../src/report/factorize-terminal.js';
import { keptText, missedText, NOTHING_TEXT, stayedLayers } from '../../src/report/factorize-words.js';
import { budgetText, slowerText } from '../../src/report/trade-words.js';
import { renderReportFile } from '../../src/report/render.js';
import { lineWidth, plainText } from '../../src/report/span.js';
import { guessedFactorize, missedFactorize, sampleFactorize } from './factorize-sample.js';

const REPORTS = ['m.factorized.report.html', 'm.factorized.report.md', 'm.factorized.report.json'];
const SCREEN = 30;
const view = (report: FactorizeReport, width: number, verbosity: 0 | 1 | 2 = 0): string =>
  plainText(factorizeLines(report, { width, verbosity, reports: REPORTS }));

describe('the terminal view', () => {
  it.each([
    ['all well', sampleFactorize()],
    ['gates missed', missedFactorize()],
    ['no data', guessedFactorize()],
  ])('fits one screen of 80 and of 200 columns: %s', (_, report) => {
    for (const width of [80, 200]) {
      const lines = factorizeLines(report, { width, verbosity: 0, reports: REPORTS });
      expect(lines.length).toBeLessThanOrEqual(SCREEN);
      expect(lines.filter((line) => lineWidth(line) > width)).toEqual([]);
    }
  });

  it('says what was lost, what became a chain, what it rests on', () => {
    const text = view(sampleFactorize(), 200);
    expect(text).toMatch(/^mobilenetv2.onnx → mobilenetv2.factorized.onnx +top-1 lost: 0.3 points/);
    expect(text).toMatch(/12 of 15 layers factorized; left whole: 2 worth, 1 depthwise \(-v says why\)/);
    expect(text).toMatch(/--macs 0.7x met: 70 % of macs left/);
    expect(text).toMatch(/chains chosen for macs by outputs on 1000 samples, 52 layers refitted/);
  });

  it('shouts where it is slower, and where no data was used', () => {
    expect(view(missedFactorize(), 120)).toMatch(/SLOWER than the original by 4 %, which a run for macs allows/);
    expect(view(guessedFactorize(), 120)).toMatch(/NO DATA was used/);
    expect(view(guessedFactorize(), 120)).toMatch(
      /Nothing was factorized: the factorized model was not measured faster/,
    );
  });

  it('-v adds steps, reasons and all layers', () => {
    const text = view(missedFactorize(), 200, 1);
    for (const expected of [
      /candidate 2 of 2 +8/,
      /the layer was put back \[no-gain\]/,
      /features\.11\/conv/,
      /140\.5|141 µs/,
    ])
      expect(text).toMatch(expected);
  });
});

describe('words', () => {
  it('name the gate that was missed: the budget first', () => {
    const missed = missedFactorize();
    expect(missedText(sampleFactorize(), 'strict')).toBe(undefined);
    expect(missedText(missed, 'usual')).toBe('--macs 0.5x --params 0.5x: 70 % of macs left, 68 % of params left');
    const { maxDrop } = missed.gates;
    expect(missedText({ ...missed, gates: maxDrop ? { maxDrop } : {} }, 'usual')).toMatch(/^--max-drop: top-1 lost/);
    expect(missedText({ ...guessedFactorize(), gates: {} }, 'strict')).toBe('--strict: nothing was factorized');
    expect(missedText({ ...guessedFactorize(), gates: {} }, 'usual')).toBe(undefined);
    expect(budgetText(guessedFactorize(), NOTHING_TEXT)).toBe('nothing was factorized');
  });

  it('say why layers stayed whole, the most frequent reason first', () => {
    expect(stayedLayers(missedFactorize()).map(({ code, layers }) => [code, layers.length])).toEqual([
      ['worth', 2],
      ['depthwise', 1],
      ['no-gain', 1],
    ]);
    expect([slowerText(sampleFactorize()), keptText(sampleFactorize())]).toEqual([undefined, undefined]);
  });
});

describe('pages', () => {
  it('draw error against rank of each layer, and ring what was taken', () => {
    const html = renderReportFile(sampleFactorize(), 'r.html') ?? '';
    expect(html).toMatch(/Error against rank of 12 layers/);
    expect(html.match(/<svg role="img" height="190"/g)).toHaveLength(12);
    // Rank 32 of spatial SVD has half of the multiplications.
    expect(html).toContain('spatial-svd 32: error 0.00049, 50 % of the multiplications');
    expect(html.match(/r="7"/g)).toHaveLength(12);
    expect(html).not.toContain('stem <b>');
    expect(html).toContain('stem &lt;b&gt;');
  });

  it('list every layer in Markdown, too', () => {
    const markdown = renderReportFile(missedFactorize(), 'r.md') ?? '';
    for (const title of ['What became a chain', 'On the way', 'Layer by layer', 'How it was measured'])
      expect(markdown).toContain(`## ${title}`);
    expect(markdown).toContain('mcompress factorize mobilenetv2.onnx --macs 0.7x');
  });
});
