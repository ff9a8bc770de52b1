// The HTML reports in a real browser. Skipped, by name, where none is found on PATH.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderReportFile } from '../../src/report/render.js';
import type { Report } from '../../src/report/schema.js';
import { findBrowser, openBrowser, type Browser } from './browser.js';
import { sampleEval, sampleImageEval } from './eval-sample.js';
import { sampleCompare, sampleInspect, sampleProfile } from './other-samples.js';
import { sampleReport, troubledReport } from './sample.js';

const PAGES: readonly (readonly [name: string, report: Report])[] = [
  ['slim', sampleReport()],
  ['troubled', troubledReport()],
  ['inspect', sampleInspect()],
  ['profile', sampleProfile()],
  ['compare', sampleCompare()],
  ['eval', sampleEval()],
  ['eval of 100 classes', sampleEval(100)],
  ['eval of images', sampleImageEval()],
];
/** Pages of tables mostly. */
const LEAST_CHARTS: Readonly<Record<string, number>> = { eval: 1, 'eval of 100 classes': 1, 'eval of images': 0 };
const VIEWS = PAGES.flatMap(([name]) =>
  [400, 1400].flatMap((width) => (['light', 'dark'] as const).map((scheme) => ({ name, width, scheme }))),
);

// Runs in the page: opens what is folded, then looks at every chart and at what reaches beyond the page.
const INSPECTION = `(() => {
  document.querySelectorAll('details').forEach((one) => { one.open = true; });
  const area = (one) => { const { width, height } = one.getBoundingClientRect(); return width * height; };
  const page = document.documentElement;
  const charts = [...document.querySelectorAll('svg')];
  const cut = [...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > one.clientWidth + 1 && one.closest('details') === null);
  const textSize = Math.min(...[...document.querySelectorAll('main *')].filter((one) => one.textContent.trim() !== '' && area(one) > 0).map((one) => parseFloat(getComputedStyle(one).fontSize)));
  return {
    charts: charts.length,
    undrawn: charts.filter((one) => area(one) === 0 || ![...one.querySelectorAll('rect,circle,line')].some((shape) => area(shape) > 0)).map((one) => one.textContent),
    outside: charts.flatMap((one) => [...one.querySelectorAll('rect,circle,line')]).filter((shape) => { const { left, right } = shape.getBoundingClientRect(); return left < 0 || right > innerWidth; }).length,
    overflow: page.scrollWidth - page.clientWidth,
    sideways: cut.map((one) => one.getAttribute('aria-label')),
    textSize,
    ground: getComputedStyle(document.body).backgroundColor,
  };
})()`;
interface Inspection {
  readonly charts: number;
  readonly undrawn: readonly string[];
  readonly outside: number;
  readonly overflow: number;
  readonly sideways: readonly string[];
  readonly textSize: number;
  readonly ground: string;
}

const path = findBrowser();

describe.skipIf(path === undefined)(
  `in ${path ?? 'a browser (none found on PATH: chromium, chromium-browser, google-chrome)'}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'mcompress-html-'));
    const address = (name: string): string => pathToFileURL(join(folder, `${name}.html`)).href;
    let browser: Browser | undefined;

    beforeAll(async () => {
      for (const [name, report] of PAGES)
        writeFileSync(join(folder, `${name}.html`), renderReportFile(report, 'r.html') ?? '');
      browser = await openBrowser(path ?? '');
    });
    afterAll(async () => {
      await browser?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    const opened = (): Browser['page'] => {
      if (!browser) throw new Error('the browser did not start');
      return browser.page;
    };

    it.each(VIEWS)(
      '$name at $width pixels, $scheme: all drawn, nothing beyond the page, no complaint',
      async ({ name, width, scheme }) => {
        const page = opened();
        await page.show(address(name), { width, height: 900, scheme });
        const seen = (await page.evaluate(INSPECTION)) as Inspection;
        expect(seen.charts).toBeGreaterThanOrEqual(LEAST_CHARTS[name] ?? 11);
        expect(seen).toMatchObject({
          undrawn: [],
          outside: 0,
          overflow: 0,
          ground: scheme === 'light' ? 'rgb(246, 247, 249)' : 'rgb(16, 21, 27)',
        });
        expect(width === 1400 ? seen.sideways : []).toEqual([]);
        expect(seen.textSize).toBeGreaterThanOrEqual(11);
        expect(page.complaints).toEqual([]);
        const { height } = (await page.evaluate('({ height: document.documentElement.scrollHeight })')) as {
          readonly height: number;
        };
        const shot = await page.screenshot({ x: 0, y: 0, width, height: Math.min(height, 2000) });
        // An empty page of this size compresses to a few kilobytes.
        expect(shot.length).toBeGreaterThan(20_000);
      },
    );

    it('notices what it looks for: an error, an undrawn chart, a page too wide', async () => {
      const page = opened();
      const before = page.complaints.length;
      writeFileSync(
        join(folder, 'bad.html'),
        '<!doctype html><main><p>x</p><svg width="0"></svg><svg><title>empty</title></svg><div style="width:3000px">wide</div></main><script>console.error("x"); nothing.here;</script>',
      );
      await page.show(address('bad'), { width: 400, height: 900, scheme: 'light' });
      const seen = (await page.evaluate(INSPECTION)) as Inspection;
      expect(seen.undrawn).toEqual(['', 'empty']);
      expect(seen.overflow).toBeGreaterThan(2000);
      expect(page.complaints.slice(before).join('\n')).toMatch(
        /consoleAPICalled[^]*exceptionThrown|exceptionThrown[^]*consoleAPICalled/,
      );
    });
  },
);
