// The HTML report as text: well formed, escaped, self-contained, accessible. browser.test.ts looks at it in a browser.
import { describe, expect, it } from 'vitest';
import type { LayerFacts } from '../../src/report/facts.js';
import { PALETTES, type Palette } from '../../src/report/html-style.js';
import { htmlName, htmlText } from '../../src/report/html-text.js';
import { renderReportFile } from '../../src/report/render.js';
import type { Report } from '../../src/report/schema.js';
import { ALL_SAMPLES } from './all-samples.js';
import { sampleReport, troubledReport } from './sample.js';

const html = (report: Report): string => renderReportFile(report, 'r.HTML') ?? '';

const VOID = new Set(['meta', 'link', 'wbr', 'rect', 'line', 'circle']);

/** Tags that are closed out of order or never. */
function unbalanced(page: string): string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  for (const [, close, tag = ''] of page
    .replace(/<style>[^]*?<\/style>/, '')
    .matchAll(/<(\/?)([a-z][a-z0-9]*)(?:\s+[a-z0-9-]+(?:="[^"]*")?)*\s*\/?>/g)) {
    if (close === '/') {
      if (open.pop() !== tag) wrong.push(tag);
    } else if (!VOID.has(tag)) open.push(tag);
  }
  return [...wrong, ...open];
}

describe.each(ALL_SAMPLES)('%s page', (_, report) => {
  const page = html(report);

  it('is well formed: every < begins a tag, every tag is closed in order', () => {
    const body = page.replace(/<style>[^]*?<\/style>/, '').replace('<!doctype html>', '');
    expect(/[<>]/.test(body.replace(/<\/?[a-z][a-z0-9]*(?:\s+[a-z0-9-]+(?:="[^"<]*")?)*\s*\/?>/gi, ''))).toBe(false);
    expect(unbalanced(page)).toEqual([]);
  });

  it('holds no script and refers to nothing outside', () => {
    expect(page).not.toMatch(/<script|javascript:|\son[a-z]+="/i);
    expect(page).not.toMatch(/(?:src|href)="(?!data:,)|url\(|@import|https?:/i);
  });

  it('names every chart, and every header cell its scope', () => {
    const charts = page.match(/<svg[^]*?<\/svg>/g) ?? [];
    for (const chart of charts)
      expect(chart).toMatch(/^<svg role="img" height="\d+"><title>[^<]+<\/title><desc>[^<]+<\/desc></);
    expect(page.match(/<th(?! scope="(?:col|row)")[ >]/g)).toBeNull();
  });

  it('says NaN, undefined and Infinity nowhere', () => {
    expect(page).not.toMatch(/\bNaN\b|\bundefined\b|\bInfinity\b/);
  });
});

it('shows hostile names as text', () => {
  const page = html(troubledReport());
  expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  expect(page).toContain('\\u{202e}evil\\u{a}');
  expect(page).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
});

it('answers first: smaller, faster, as good, skipped', () => {
  const page = html(sampleReport());
  const order = [
    'Smaller by',
    'Speed',
    'As good as the original',
    'Skipped',
    'Before and after',
    'What was skipped, and why',
    'Pass by pass',
    'Layer by layer',
    'Where the time goes',
    'Operators',
    'How it was measured',
  ];
  const places = order.map((words) => page.indexOf(`>${words}<`));
  expect(places).not.toContain(-1);
  expect(places).toEqual([...places].sort((a, b) => a - b));
});

it('draws bars to scale', () => {
  const page = html({
    ...sampleReport(),
    operators: [
      { opType: 'Conv', before: 40, after: 10 },
      { opType: 'Relu', before: 0, after: 20 },
    ],
  });
  const chart = (name: string): string[] =>
    [
      ...(new RegExp(`<title>${name}: [^]*?</svg>`).exec(page)?.[0] ?? '').matchAll(
        /class="(s-before|s-after)" x="0%" y="\d+" width="([\d.]+)%"/g,
      ),
    ].map(([, style, width]) => `${style} ${width}`);
  expect(chart('Conv')).toEqual(['s-before 100', 's-after 25']);
  expect(chart('Relu')).toEqual(['s-after 50']);
});

it('shows MACs per layer when nothing was profiled', () => {
  const sample = sampleReport();
  const strip = (facts: LayerFacts | undefined): LayerFacts | undefined => facts && { ...facts, timeUs: undefined };
  const layers = sample.layers.map(({ name, before, after }) => ({ name, before: strip(before), after: strip(after) }));
  const page = html({ ...sample, layers, timeShare: [] });
  expect(page).toContain('of 53 layers, in order of execution: multiply-accumulates');
  expect(page).not.toContain('Where the time goes');
});

it('stays small for a model of 20,000 nodes, and says what it leaves out', () => {
  const sample = sampleReport();
  const layers = Array.from({ length: 20000 }, (_, at) => ({
    name: `node${at}`,
    after: { opType: 'Conv', parameters: 1, timeUs: at },
  }));
  const page = html({ ...sample, layers });
  expect(page.length).toBeLessThan(1_500_000);
  expect(page).toContain('the first 2000, 18000 more in the JSON report');
  expect(page).toContain('The 24 dearest of 19999 layers');
});

it('sets figures well', () => {
  expect(htmlText('-4 … +1 % (-3) a-b 8.71 ms')).toBe('−4 … +1\u00a0% (−3) a-b 8.71\u00a0ms');
  expect(htmlName('/a/b<c')).toBe('/<wbr>a/<wbr>b&lt;c');
});

// Relative luminance and contrast ratio of WCAG 2.
function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5]
    .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}
const TEXTS: readonly (keyof Palette)[] = ['text', 'quiet', 'accent', 'good', 'bad', 'warn'];
const MARKS: readonly (keyof Palette)[] = ['before', 'after', 'tensor', 'nonTensor', 'runtime'];

it.each(Object.entries(PALETTES))('%s palette has AA contrast', (_, palette) => {
  expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 5);
  const weak = (names: readonly (keyof Palette)[], least: number): string[] =>
    names.filter((one) => [palette.page, palette.card].some((ground) => contrast(palette[one], ground) < least));
  expect(weak(TEXTS, 4.5)).toEqual([]);
  expect(weak(MARKS, 3)).toEqual([]);
});
