// Figures as text, against values worked out by hand.
import { describe, expect, it } from 'vitest';
import {
  change,
  countOf,
  difference,
  dimensions,
  figure,
  figurePair,
  interval,
  plural,
  scientific,
  share,
  shorten,
  visible,
} from '../../src/report/format.js';

describe('figure', () => {
  it.each([
    [0, 'bytes', '0 B'],
    [864, 'bytes', '864 B'],
    [1023, 'bytes', '1023 B'],
    [1024, 'bytes', '1.0 KiB'],
    [1048575, 'bytes', '1.0 MiB'],
    [14246826, 'bytes', '13.6 MiB'],
    [17179869184, 'bytes', '16.0 GiB'],
    [0, 'count', '0'],
    [999, 'count', '999'],
    [1000, 'count', '1.00 k'],
    [999999, 'count', '1.00 M'],
    [3539138, 'count', '3.54 M'],
    [300774272, 'count', '300.8 M'],
    [20.35e9, 'count', '20.35 G'],
    [0, 'time', '0 µs'],
    [0.0321, 'time', '32.1 µs'],
    [0.82, 'time', '820 µs'],
    [0.9999, 'time', '1.00 ms'],
    [8.9, 'time', '8.90 ms'],
    [48.23, 'time', '48.2 ms'],
    [139.25, 'time', '139 ms'],
    [1025.64, 'time', '1.03 s'],
    [221, 'whole', '221'],
    [20000, 'whole', '20000'],
    [1.62e9, 'energy', '1.62 mJ'],
  ] as const)('%s of %s is %s', (value, quantity, text) => {
    expect(figure(value, quantity)).toBe(text);
  });

  it('gives a pair one unit, unless the smaller would lose its digits', () => {
    expect(figurePair(1.01, 0.98, 'time')).toEqual(['1.01 ms', '0.98 ms']);
    expect(figurePair(14246826, 1500, 'bytes')).toEqual(['13.6 MiB', '1.5 KiB']);
    expect(figurePair(1024, 0, 'bytes')).toEqual(['1.0 KiB', '0 KiB']);
    expect(figurePair(300774272, 300774272, 'count')).toEqual(['300.8 M', '300.8 M']);
  });

  it('signs differences', () => {
    expect(difference(-51168, 'count')).toBe('-51.17 k');
    expect(difference(12, 'whole')).toBe('+12');
    expect(difference(0, 'count')).toBe('0');
  });
});

describe('change', () => {
  it.each([
    [221, 99, '-55 %'],
    [100, 103, '+3 %'],
    [1000, 996, '-0.4 %'],
    [1000, 1000, '0 %'],
    [100000, 100001, '0 %'],
    [0, 0, '0 %'],
    [0, 5, 'new'],
    [10, 35, '+250 %'],
    [100, 0, '-100 %'],
    [100000, 1, '-99.9 %'],
    [1000, 4, '-99.6 %'],
    [100, 99.04, '-1 %'],
  ])('from %s to %s is %s', (before, after, text) => {
    expect(change(before, after)).toBe(text);
  });

  it('shows intervals and shares', () => {
    expect(interval({ low: 0.961, high: 1.009 })).toBe('95 %: -4 … +0.9 %');
    expect(share(1, 4)).toBe('25 %');
    expect(share(0, 0)).toBe('0 %');
    expect(share(4, 4)).toBe('100 %');
  });
});

it('writes errors, counts and shapes', () => {
  expect([scientific(1.6e-6), scientific(0), scientific(0.031)]).toEqual(['1.6e-6', '0', '3.1e-2']);
  expect([plural(1, 'site'), plural(0, 'site'), plural(2, 'box', 'boxes')]).toEqual(['1 site', '0 sites', '2 boxes']);
  expect([dimensions([1, 'N', 3]), dimensions([])]).toEqual(['1×N×3', 'scalar']);
});

it('makes characters visible that could forge lines or reorder text', () => {
  expect(visible('a\u001b[31m\nb\u202Ec\u2028\u0085')).toBe('a\\u{1b}[31m\\u{a}b\\u{202e}c\\u{2028}\\u{85}');
  expect(visible('conv→größe µ 畳み込み')).toBe('conv→größe µ 畳み込み');
});

it('shortens in the middle, by characters', () => {
  expect(shorten('abcdefghij', 7)).toBe('abc…hij');
  expect(shorten('abc', 3)).toBe('abc');
  expect([...shorten('😀😀😀😀😀', 3)]).toEqual(['😀', '…', '😀']);
});

describe('counts', () => {
  it.each([
    [7, 'Constant nodes made initializers', '7 Constant nodes made initializers'],
    [1, 'Constant nodes made initializers', '1 Constant node made an initializer'],
    [1, 'nodes that return an input unchanged removed', '1 node that returns an input unchanged removed'],
    [1, 'nodes that no output depends on removed', '1 node that no output depends on removed'],
    [1, 'Splits that undo a Concat removed', '1 Split that undoes a Concat removed'],
    [1, 'branches merged into one convolution', '1 branch merged into one convolution'],
    [1, 'affine nodes folded into the layer before them', '1 affine node folded into the layer before it'],
    [1, 'HardSwish fused from its pieces', '1 HardSwish fused from its pieces'],
    [1, 'BatchNormalization folded into the layer before it', '1 BatchNormalization folded into the layer before it'],
  ])('%d %s', (count, label, text) => {
    expect(countOf(count, label)).toBe(text);
  });
});
