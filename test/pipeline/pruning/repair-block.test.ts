// Layers that stand for blocks of the original: each is fitted to what the block gives, through the activation and the Concat behind it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allChannels } from '../../../src/pipeline/pruning/kept-channels.js';
import { repairLayers } from '../../../src/pipeline/pruning/repair.js';
import { Workspace } from '../../../src/pipeline/workspace.js';
import { RuntimeHost } from '../../../src/runtime/host.js';
import { answers, apart, decoded, plantedBench } from './repair-net.js';

const host = new RuntimeHost();
let workspace: Workspace;
beforeAll(async () => void (workspace = await Workspace.create(undefined)));
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
});

const DIMS = [1, 3, 8, 8];
const net = (weights: string, body: string): string =>
  `g (float[1,3,8,8] x) => (float[1,N,A,B] y)\n<${weights}>\n{\n${body}\n}`;

/** `block`: of the original. `layer`: what stands there. Both end in the value `e`, which a last layer reads. */
const CASES = {
  'a convolution and an average pool': {
    block: [
      'float[4,3,3,3] w = random(1), float[4] b = random(2)',
      'h = Conv (x, w, b)\n e = AveragePool <kernel_shape = [2, 2]> (h)',
    ],
    layer: ['float[4,3,4,4] w = random(8)', 'e = Conv (x, w)'],
  },
  'an average pool in front of the activation': {
    block: [
      'float[4,3,3,3] w = random(1), float[4] b = random(2)',
      'h = Conv (x, w, b)\n p = AveragePool <kernel_shape = [2, 2]> (h)\n e = Relu (p)',
    ],
    layer: ['float[4,3,4,4] w = random(8)', 'k = Conv (x, w)\n e = Relu (k)'],
  },
  'two branches of a Concat': {
    block: [
      'float[4,3,1,1] w = random(1), float[2,3,3,3] v = random(2), float[2,3,1,1] u = random(3)',
      `h = Conv (x, w)\n a = Relu (h)\n c = Conv <pads = [1, 1, 1, 1]> (x, v)\n d = Relu (c)
  i = Conv (x, u)\n j = Relu (i)\n e = Concat <axis = 1> (a, d, j)`,
    ],
    // The first two are one.
    layer: [
      'float[6,3,3,3] v = random(8), float[2,3,1,1] u = random(9)',
      `c2 = Conv <pads = [1, 1, 1, 1]> (x, v)\n d2 = Relu (c2)\n i2 = Conv (x, u)\n j2 = Relu (i2)\n e = Concat <axis = 1> (d2, j2)`,
    ],
  },
} as const;

// From random weights on, sweeps do not find all of what an activation cuts off.
describe('a layer for a block', { timeout: 60_000 }, () => {
  it.each(Object.entries(CASES))('%s', async (name, { block, layer }) => {
    const last = (weights: string): string =>
      `${weights}, float[2,${block[1].includes('Concat') ? 8 : 4},1,1] z = random(7)`;
    const whole = ([weights, body]: readonly [string, string]): string =>
      net(last(weights), `  ${body}\n  y = Conv (e, z)`);
    const { bench } = plantedBench({ text: whole(layer), dims: DIMS, units: {} }, { host, workspace, samples: 64 });
    const teacher = decoded(whole(block));
    const wanted = await answers(host, teacher, DIMS);
    expect(apart(wanted, await answers(host, bench.decoded, DIMS))).toBeGreaterThan(0.3);
    const { layers } = await repairLayers(bench, teacher, allChannels());
    expect(layers.filter(({ result }) => result === 'no-counterpart')).toEqual([]);
    expect(apart(wanted, await answers(host, bench.decoded, DIMS))).toBeLessThan(
      name.startsWith('a convolution') ? 1e-3 : 0.15,
    );
  });

  it('is not looked for behind what is no activation', async () => {
    const { block } = CASES['a convolution and an average pool'];
    const text = net('float[4,3,4,4] w = random(8)', 'k = Conv (x, w)\n e = Sigmoid (k)\n y = Neg (e)');
    const { bench } = plantedBench({ text, dims: DIMS, units: {} }, { host, workspace, samples: 8 });
    const teacher = decoded(net(block[0], `${block[1]}\n y = Neg (e)`));
    expect((await repairLayers(bench, teacher, allChannels())).refitted).toBe(0);
  });
});
