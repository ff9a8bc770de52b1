// Whole branches and linear streams in pruning runs on ONNX Runtime: a block that says little leaves whole, one that matters stays,
// and streams that lie in few directions become narrow without a loss.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { parseModel } from '../../../src/ir/text/parse.js';
import { encodeModel } from '../../../src/onnx/encode.js';
import { netData } from '../quantization/net.js';
import { finished, pruneRequest } from './run.js';

const root = mkdtempSync(join(tmpdir(), 'mcompress-branches-'));
afterAll(() => rmSync(root, { recursive: true }));
let folder = root;
beforeEach(() => void (folder = mkdtempSync(join(root, 'run-'))));

const request = (text: string, settings: Parameters<typeof pruneRequest>[2]) => {
  const path = join(folder, 'net.onnx');
  writeFileSync(
    path,
    Buffer.concat(encodeModel(undefined, parseModel(`<ir_version: 8, opset_import: ["" : 17]>\n${text}`))),
  );
  return pruneRequest(path, join(folder, 'out.onnx'), { openData: () => Promise.resolve(netData(60)), ...settings });
};

/** Of two blocks the second is nearly linear in its stream: its filters pass what is positive, and that is scaled. */
const RESIDUAL = `g (float[1,3,24,24] x) => (float[1,4,24,24] y)
<float[16,3,3,3] w0 = random(1), float[16] b0 = random(2), float[16,16,3,3] w1 = random(3), float[16] b1 = random(4),
 float[16,16,3,3] w2 = random(5), float[16] b2 = random(6), float[16,16,1,1] w3 = random(7), float[16] b3 = {9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9},
 float[16,16,1,1] w4 = random(8), float[16] b4 = random(9), float[4,16,3,3] w5 = random(10)>
{
  c0 = Conv <pads = [1,1,1,1]> (x, w0, b0)
  s0 = Relu (c0)
  c1 = Conv <pads = [1,1,1,1]> (s0, w1, b1)
  r1 = Relu (c1)
  c2 = Conv <pads = [1,1,1,1]> (r1, w2, b2)
  a1 = Add (c2, s0)
  s1 = Relu (a1)
  c3 = Conv (s1, w3, b3)
  r3 = Relu (c3)
  c4 = Conv (r3, w4, b4)
  a2 = Add (c4, s1)
  s2 = Relu (a2)
  y = Conv <pads = [1,1,1,1]> (s2, w5)
}`;

const widths = (groups: readonly { name: string; width: { before: number; after: number } }[]) =>
  Object.fromEntries(groups.map(({ name, width }) => [name, width.after]));

describe('branches of residual sums', () => {
  it('leave whole where a budget of multiplications asks for it and later layers can stand in', async () => {
    const { outcome } = await finished(request(RESIDUAL, { settings: { macs: '0.95x', widths: '16' } }));
    const after = widths(outcome.groups);
    expect(after['c3']).toBe(0);
    expect(after['c1']).toBe(16);
    expect(outcome.budget).toBe('met');
    expect(outcome.groups.find(({ name }) => name === 'c3')?.reason).toBeUndefined();
    expect(outcome.removalError).toBeLessThan(1e-4);
    // Nothing but what the Relu of that block cut is lost.
    expect(outcome.loss?.value).toBeLessThan(40);
    const raw = await finished(request(RESIDUAL, { settings: { macs: '0.95x', widths: '16', repair: 'off' } }));
    expect(widths(raw.outcome.groups)['c3']).toBe(0);
    expect(outcome.loss?.value).toBeLessThan(0.8 * (raw.outcome.loss?.value ?? 0));
  });

  it('stay whole for a share of the channels, and without data', async () => {
    const share = await finished(request(RESIDUAL, { settings: { ratio: 0.9, repair: 'off', score: 'l1' } }));
    expect(Math.min(...Object.values(widths(share.outcome.groups)))).toBeGreaterThan(0);
    const blind = await finished(request(RESIDUAL, { openData: undefined, settings: { macs: '0.6x' } }));
    expect(Math.min(...Object.values(widths(blind.outcome.groups)))).toBeGreaterThan(0);
  });
});

/** 32 channels that are mixtures of 8, and of 8 more behind the block. */
const LINEAR = `g (float[1,3,24,24] x) => (float[1,4,24,24] y)
<float[8,3,3,3] w0 = random(1), float[8] b0 = random(2), float[32,8,1,1] w1 = random(3), float[32] b1 = random(4),
 float[8,32,1,1] w2 = random(5), float[8] b2 = random(6), float[32,8,1,1] w3 = random(7), float[4,32,3,3] w4 = random(8)>
{
  c0 = Conv <pads = [1,1,1,1]> (x, w0, b0)
  r0 = Relu (c0)
  stream = Conv (r0, w1, b1)
  c2 = Conv (stream, w2, b2)
  r2 = Relu (c2)
  c3 = Conv (r2, w3)
  sum = Add (c3, stream)
  y = Conv <pads = [1,1,1,1]> (sum, w4)
}`;

describe('linear streams', () => {
  it('lose what lies in few directions at no loss; scores of channels as given cannot', async () => {
    const settings = { params: '0.7x', widths: '4' } as const;
    const turned = await finished(request(LINEAR, { settings }));
    expect(widths(turned.outcome.groups)['stream']).toBeLessThan(24);
    expect(turned.outcome.loss?.value).toBeLessThan(0.01);
    const given = await finished(request(LINEAR, { settings: { ...settings, repair: 'off' } }));
    expect(given.outcome.loss?.value).toBeGreaterThan(0.1);
  });
});
