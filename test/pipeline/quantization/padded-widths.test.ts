// Widths that integer kernels do not like, as pruning leaves them: channels of zeros are added, and stay.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { parseModel } from '../../../src/ir/text/parse.js';
import { encodeModel } from '../../../src/onnx/encode.js';
import { openModel } from '../../../src/onnx/open.js';
import { quantizeFile } from '../../../src/pipeline/quantization/quantize-file.js';
import { requestFor } from './net.js';

/** An inverted bottleneck of 40 channels: its depthwise convolution is fast in sixteens. */
const NET = `<ir_version: 8, opset_import: ["" : 17]>
  g (float[1, 3, 24, 24] x) => (float[1, 16, 24, 24] y) <float[40, 3, 1, 1] w = random(1), float[40] a = random(2),
    float[40, 1, 3, 3] v = random(3), float[40] b = random(4), float[16, 40, 1, 1] u = random(5), float[16] c = random(6)> {
  [wide] p = Conv (x, w, a)
  q = Relu (p)
  [deep] r = Conv <group = 40, pads = [1, 1, 1, 1]> (q, v, b)
  s = Relu (r)
  [narrow] y = Conv (s, u, c)
}`;

const folder = mkdtempSync(join(tmpdir(), 'mcompress-padded-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('are padded once, and no exact pass takes the channels out again', async () => {
  const path = join(folder, 'net.onnx');
  writeFileSync(path, Buffer.concat(encodeModel(undefined, parseModel(NET))));
  const outcome = await quantizeFile(requestFor(path));
  const output = join(folder, 'int8.onnx');
  await outcome.publish(output);
  await outcome.dispose();
  expect(outcome.kept).toBe('int8');
  const { model } = await openModel(output);
  const deep = model.graph.nodes().find((node) => node.opType === 'Conv' && node.int('group', 1) > 1);
  expect(deep?.int('group', 1)).toBe(48);
});
