// Repair behind residual sums: what one side of a sum has lost for good, the other side makes up for where it can.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repairLayers } from '../../../src/pipeline/pruning/repair.js';
import { Workspace } from '../../../src/pipeline/workspace.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { answers, apart, plantedBench, type PlantedNet } from './repair-net.js';

const host = new RuntimeHost();
let workspace: Workspace;

beforeAll(async () => {
  workspace = await Workspace.create(undefined);
});
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
});

const FILTERS = '1, 0, 0.5, 0, 1, -1, 0.5, 0, 1, 1, -1, 2';
const BRANCH_FILTERS = '0, 0, 1, 0, 0.5, 0, 0, 0, 1, -1, 0, 0, 0.5, 0, 1, 0, 0, 1, -1, 2';

/** The stream s loses unit 3 of h; the branch computes the same units again, from x. */
const residual = (behind: string): PlantedNet => ({
  text: `g (float[1,3,7,7] x) => (float[1,2,7,7] y)
<float[4,3,1,1] w = {${FILTERS}}, float[2,4,1,1] ws = random(1), float[4,5,1,1] wm = {${BRANCH_FILTERS}}, float[2,4,1,1] wb = random(2)>
{
  h = Conv (x, w)
  a = Relu (h)
  s = Conv (a, ws)
  j = Concat <axis = 1> (s, x)
  m = Conv (j, wm)
  r = Relu (m)
  b = Conv (r, wb)
  ${behind}
}`,
  dims: [1, 3, 7, 7],
  units: { h: [3] },
});

async function repaired(net: PlantedNet) {
  const { bench, teacher, kept } = plantedBench(net, { host, workspace, samples: 40 });
  const { layers } = await repairLayers(bench, teacher, kept);
  const wanted = await answers(host, teacher, net.dims);
  return { layers, apart: apart(wanted, await answers(host, bench.decoded, net.dims)) };
}

describe('a branch whose stream has lost a channel', () => {
  it.each([
    'z = Add (b, s)\n  y = Identity (z)',
    'z = Add (s, b)\n  y = Relu (z)',
    'z = Add (s, b)\n  y = Clip (z, , wb)',
  ])('makes up for it: %s', async (behind) => {
    const isClip = behind.includes('Clip');
    const net = residual(isClip ? behind.replace('wb', 'top') : behind);
    const text = isClip ? net.text.replace('wb = random(2)', 'wb = random(2), float top = {2}') : net.text;
    const found = await repaired({ ...net, text });
    expect(found.layers[0]?.errorAfter).toBeGreaterThan(0.01);
    expect(found.apart).toBeLessThan(1e-4);
  });

  it('cannot where the other side is not known by then, or more is read than the sum', async () => {
    const twice = residual('z = Add (b, s)\n  y = Mul (z, b)');
    expect((await repaired(twice)).apart).toBeGreaterThan(0.01);
    const [base, scaled] = [residual('y = Add (b, s)'), residual('k = Mul (s, half)\n  y = Add (b, k)')];
    const half = { ...scaled, text: scaled.text.replace('wb = random(2)', 'wb = random(2), float half = {0.5}') };
    expect((await repaired(base)).apart).toBeLessThan(1e-4);
    expect((await repaired(half)).apart).toBeLessThan(1e-4);
  });

  it('leaves two sides that are fitted at once to their own targets', async () => {
    const net: PlantedNet = {
      text: `g (float[1,3,7,7] x) => (float[1,2,7,7] y)
<float[4,3,1,1] w = {${FILTERS}}, float[2,4,1,1] ws = random(1), float[2,4,1,1] wb = random(2)>
{
  h = Conv (x, w)
  a = Relu (h)
  s = Conv (a, ws)
  b = Conv (a, wb)
  y = Add (b, s)
}`,
      dims: [1, 3, 7, 7],
      units: { h: [3] },
    };
    const { layers } = await repaired(net);
    expect(layers.map(({ result }) => result)).toEqual(['refitted', 'refitted']);
    for (const { errorBefore = 0, errorAfter = 1 } of layers) expect(errorAfter).toBeLessThan(errorBefore);
  });
});
