// The resizer against Pillow's bytes (resize-cases.json says how they were made).
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { resizeBilinear } from '../../src/data/resize.js';
import type { Picture } from '../../src/data/source.js';

interface Case {
  readonly from: readonly [height: number, width: number];
  readonly to: readonly [height: number, width: number];
  readonly bytes: readonly number[];
}

const cases = JSON.parse(readFileSync(new URL('resize-cases.json', import.meta.url), 'utf8')) as Case[];

/** The same formula stands in generate_resize_cases.py. */
function formulaPicture(height: number, width: number): Picture {
  const data = new Uint8Array(height * width * 3);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++) data[i++] = (x * 37 + y * 91 + c * 53 + x * y * 29) % 256;
  return { data, height, width, channels: 3, layout: 'hwc' };
}

it.each(cases)('gives the bytes of Pillow: $from to $to', ({ from, to: [height, width], bytes }) => {
  const scaled = resizeBilinear(formulaPicture(...from), { height, width }, { top: 0, left: 0, height, width });
  expect([scaled.height, scaled.width, scaled.channels]).toEqual([height, width, 3]);
  expect([...scaled.data]).toEqual(bytes);
});

it('computes a window as the whole picture has it', () => {
  const picture = formulaPicture(31, 23);
  const size = { height: 13, width: 17 };
  const whole = resizeBilinear(picture, size, { top: 0, left: 0, ...size });
  const window = { top: 4, left: 5, height: 6, width: 7 };
  const part = resizeBilinear(picture, size, window);
  for (let y = 0; y < window.height; y++) {
    const from = ((window.top + y) * size.width + window.left) * 3;
    expect([...part.data.subarray(y * 21, (y + 1) * 21)]).toEqual([...whole.data.subarray(from, from + 21)]);
  }
});
