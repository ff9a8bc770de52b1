// Requests to replace blocks, and runs of them: what the tests of learned slimming share.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseModel } from '../../../src/ir/text/parse.js';
import { encodeModel } from '../../../src/onnx/encode.js';
import { deepenFile } from '../../../src/pipeline/deepening/deepen-file.js';
import type { DeepenRequest } from '../../../src/pipeline/deepening/outcome.js';
import { DEFAULT_DEEPENING, type DeepenSettings } from '../../../src/pipeline/deepening/settings.js';
import { runAndPublish, usualRequest } from '../usual-request.js';

type Changes = Partial<Omit<DeepenRequest, 'settings'>> & { readonly settings?: Partial<DeepenSettings> };

/** A request that measures nothing. */
export const deepenRequest = (
  path: string,
  output: string,
  { settings = {}, ...changes }: Changes = {},
): DeepenRequest => ({ ...usualRequest(path, output), settings: { ...DEFAULT_DEEPENING, ...settings }, ...changes });

export const finished = (request: DeepenRequest) => runAndPublish(deepenFile, request);

/** A net for digits with two normalizations and random weights; its file lies in `folder`. */
export function writeLrnNet(folder: string): string {
  const model = parseModel(`<ir_version: 8, opset_import: ["" : 13]>
g (float[N,1,28,28] x) => (float[N,10] y)
<float[8,1,5,5] w1 = random(1), float[8] b1 = random(2), float[16,8,3,3] w2 = random(3), float[16] b2 = random(4),
 float[10,784] w3 = random(5), float[10] b3 = random(6)>
{
  c1 = Conv <pads = [2, 2, 2, 2]> (x, w1, b1)
  r1 = Relu (c1)
  n1 = LRN <size = 5, alpha = 0.05> (r1)
  p1 = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (n1)
  c2 = Conv <pads = [1, 1, 1, 1]> (p1, w2, b2)
  r2 = Relu (c2)
  n2 = LRN <size = 3, alpha = 0.05> (r2)
  p2 = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (n2)
  f = Flatten (p2)
  y = Gemm <transB = 1> (f, w3, b3)
}`);
  const path = join(folder, 'lrn.onnx');
  writeFileSync(path, Buffer.concat(encodeModel(undefined, model)));
  return path;
}
