// Widths, wrapping, tables and bars of the terminal view.
import { describe, expect, it } from 'vitest';
import { clip, lineWidth, plainText, span, textWidth, wrap } from '../../src/report/span.js';
import { bar, bars, ends, stack, table } from '../../src/report/table.js';

describe('spans', () => {
  it('counts columns: wide characters two, marks none', () => {
    expect([textWidth('abc'), textWidth('→·…µ'), textWidth('畳み'), textWidth('e\u0301'), textWidth('😀')]).toEqual([
      3, 4, 4, 1, 2,
    ]);
  });

  it('cuts to columns, not to characters', () => {
    expect(clip('abcdefgh', 5)).toBe('abcd…');
    expect(clip('abcdefgh', 5, 'middle')).toBe('ab…gh');
    expect(textWidth(clip('畳み込み畳み込み', 7, 'middle'))).toBeLessThanOrEqual(7);
    expect(clip('abc', 0)).toBe('');
  });

  it('wraps at spaces with an indent and keeps styles and long words', () => {
    const lines = wrap([span('one two '), span('three four', 'dim')], 10, 2);
    expect(plainText(lines)).toBe('one two\n  three\n  four');
    expect(lines[1]?.at(-1)?.style).toBe('dim');
    expect(plainText(wrap([span('a averyverylongword b')], 6, 2))).toBe('a\n  averyverylongword\n  b');
  });

  it('never sends control characters', () => {
    expect(span('\u001b[2J').text).toBe('\\u{1b}[2J');
  });
});

describe('table', () => {
  const columns = [
    { title: 'layer', align: 'left', cut: 'middle' },
    { title: 'output', align: 'left', drop: 1 },
    { title: 'time', align: 'right' },
    { title: 'remark', align: 'left', cut: 'wrap' },
  ] as const;
  const rows = [
    ['/features/features.0/conv/Conv', '1×32×112×112', '8.90 ms', 'runs as the nchwc Conv'],
    ['fc', '1×10', '12 µs'],
  ];

  it('aligns columns and leaves missing cells empty', () => {
    expect(plainText(table(columns, rows, 200))).toBe(
      [
        'layer                           output           time  remark',
        '/features/features.0/conv/Conv  1×32×112×112  8.90 ms  runs as the nchwc Conv',
        'fc                              1×10            12 µs',
      ].join('\n'),
    );
  });

  it('drops, cuts and wraps to keep the width', () => {
    const lines = table(columns, rows, 50);
    expect(Math.max(...lines.map(lineWidth))).toBeLessThanOrEqual(50);
    expect(plainText(lines)).toBe(
      [
        'layer                   time  remark',
        '/features…conv/Conv  8.90 ms  runs as the nchwc',
        '                              Conv',
        'fc                     12 µs',
      ].join('\n'),
    );
  });

  it('never exceeds a width it can reach, for all widths', () => {
    for (let width = 34; width < 120; width += 1)
      expect(Math.max(...table(columns, rows, width).map(lineWidth))).toBeLessThanOrEqual(width);
  });
});

describe('bars', () => {
  it('draws in eighths, never nothing for something', () => {
    expect([bar(1, 2, 4), bar(0.0001, 2, 4), bar(0, 2, 4), bar(1, 0, 4), bar(2, 2, 4), bar(3, 16, 2)]).toEqual([
      '██',
      '▏',
      '',
      '',
      '████',
      '▍',
    ]);
  });

  it('puts label, text and bar on one scale, with what went away hollow', () => {
    const lines = bars(
      [
        { label: 'Conv', value: 10, was: 20, text: '20 → 10' },
        { label: 'Relu', value: 5, text: '5' },
      ],
      30,
    );
    expect(plainText(lines)).toBe('Conv  20 → 10  ███████▌░░░░░░░\nRelu        5  ███▊');
  });

  it('fills the width with a stack, to the column', () => {
    const parts = [
      { value: 1, glyph: 'a', style: 'dim' },
      { value: 1, glyph: 'b', style: 'dim' },
      { value: 1, glyph: 'c', style: 'dim' },
    ] as const;
    expect(plainText([stack(parts, 3, 10)])).toBe('aaabbbbccc');
    expect(plainText([stack(parts, 0, 10)])).toBe('');
  });

  it('puts two texts at the ends of a line, or one under the other', () => {
    expect(plainText(ends([span('ab')], [span('cd')], 8))).toBe('ab    cd');
    expect(plainText(ends([span('ab')], [span('cd')], 5))).toBe('ab\ncd');
  });
});
