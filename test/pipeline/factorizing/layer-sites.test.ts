// Which layers of a net can become chains, with which schemes and sizes, and why the others cannot.
import { expect, it } from 'vitest';
import { createFacts } from '../../../src/analysis/inference.js';
import { parseModel } from '../../../src/ir/text/parse.js';
import { findSites } from '../../../src/pipeline/factorizing/layer-sites.js';

const MODEL = parseModel(`<ir_version: 8, opset_import: ["" : 17]>
g (float[2,8,12,10] x, float[3,7,20] s) => (float[2,A,B,C] y, float[3,7,30] t)
<float[16,8,3,3] a = random(1), float[16,1,3,3] b = random(2), float[24,16,1,1] c = random(3), float[1,24,3,3] d = random(4),
 float[20,30] e = random(5), float[16,8,1,5] f = random(6), float[8,4,2,2] k = random(7)>
{
  h = Conv <strides = [2, 1], pads = [1, 1, 1, 1]> (x, a)
  i = Conv <group = 16, pads = [1, 1, 1, 1]> (h, b)
  j = Conv (i, c)
  y = Conv <pads = [1, 1, 1, 1]> (j, d)
  l = Conv (x, f)
  o = ConvTranspose (x, k)
  t = MatMul (s, e)
}`);

const sitesOf = (more: Partial<Parameters<typeof findSites>[2]>) => {
  const { sites, declined } = findSites(MODEL.graph, createFacts(MODEL), { schemes: [], layers: 'all', ...more });
  return {
    sites: sites.map(({ output, schemes, sizes, batch }) => [output.name, schemes.join(' '), sizes.join('x'), batch]),
    declined: Object.fromEntries(declined.map(({ node, code }) => [node.output?.name, code])),
  };
};

it('all layers by default, with the schemes that suit them', () => {
  expect(sitesOf({})).toEqual({
    sites: [
      ['h', 'channel-svd spatial-svd tucker-2', '12x10', 2],
      ['j', 'svd', '6x10', 2],
      ['l', 'channel-svd tucker-2', '12x10', 2],
      ['t', 'svd', '3x7', 1],
    ],
    declined: { i: 'grouped', y: 'one-channel', o: 'transposed' },
  });
});

it('those that were asked for', () => {
  expect(sitesOf({ layers: 'dense' }).sites.map(([name]) => name)).toEqual(['t']);
  expect(sitesOf({ layers: 'dense' }).declined).toMatchObject({ h: 'not-asked', o: 'not-asked' });
  const cp = sitesOf({ schemes: ['cp', 'spatial-svd'] });
  expect(cp.sites.map(([name, schemes]) => [name, schemes])).toEqual([
    ['h', 'spatial-svd cp'],
    ['l', 'cp'],
  ]);
  expect(cp.declined).toMatchObject({ j: 'not-asked', t: 'not-asked' });
});
