// Bar: factors fitted to the output on the samples lose at least 30 % less of it than plain ones at equal multiplications.
//   npm run bench -- factorize-metrics [--models NAME,...] [--samples 512] [--ratio 2] [--schemes tucker-2,cp] [--json FILE]
// All 3x3 layers of ResNet-56 and SqueezeNet, one by one: the relative squared error of the layer's output on samples that nothing was
// fitted to, at ranks with which the chain has 1/ratio of the layer's multiplications. The bar is on the median layer, for Tucker-2 and
// CP. Exits with 1 when it is missed.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { chainMacs } from '../dist/fit/low-rank/factors.js';
import { factorize } from '../dist/fit/low-rank/factorize.js';
import { lowRankProblem } from '../dist/fit/low-rank/problem.js';
import { relativeError } from '../dist/fit/low-rank/compose.js';
import { chainLayers, fullRanks } from '../dist/fit/low-rank/scheme-rules.js';
import { isThreeByThree, layersWithSums } from './factorize/patch-sums.mjs';
import { openCase } from './prune/cases.mjs';
import { formatTable, median } from './table.mjs';

const LEAST_GAIN = 0.3;
const { values: options } = parseArgs({
  options: {
    models: { type: 'string', default: 'resnet56-cifar10,squeezenet1.1-imagenet' },
    samples: { type: 'string', default: '512' },
    ratio: { type: 'string', default: '2' },
    schemes: { type: 'string', default: 'channel-svd,spatial-svd,tucker-2,cp' },
    json: { type: 'string' },
  },
});
const metrics = ['plain', 'diagonal', 'outputs'];

/** The largest ranks, in the proportions of the full ones, whose chain has at most this many multiplications. */
function ranksFor({ layer, input }, scheme, macs) {
  const full = scheme === 'cp' ? [4 * Math.max(layer.inputs, layer.outputs)] : fullRanks(layer, scheme);
  for (let step = 200; step > 0; step--) {
    const ranks = full.map((most) => Math.max(1, Math.round((most * step) / 200)));
    if (chainMacs(chainLayers(layer, scheme, ranks), input) <= macs) return ranks;
  }
  return undefined;
}

async function measure(one, scheme) {
  const ranks = ranksFor(one, scheme, chainMacs([one.layer], one.input) / Number(options.ratio));
  if (!ranks) return undefined;
  const result = { layer: one.name, scheme, ranks };
  for (const kind of metrics) {
    const start = performance.now();
    const problem = await lowRankProblem({ ...one, metric: { kind, moments: one.fit } });
    const chain = await factorize(problem, scheme, ranks);
    result[`${kind}Seconds`] = (performance.now() - start) / 1000;
    result[kind] = relativeError(one.layer, one, chain, one.held);
  }
  return result;
}

const results = [];
for (const name of options.models.split(',')) {
  const layers = await layersWithSums(openCase(name, { key: 'factorize' }), {
    samples: Number(options.samples),
    accepts: isThreeByThree,
  });
  for (const scheme of options.schemes.split(','))
    for (const one of layers) {
      const found = await measure(one, scheme);
      if (found) results.push({ model: name, ...found });
      if (options.json) writeFileSync(options.json, JSON.stringify({ options, results }, null, 1));
    }
}
const rows = [];
const verdicts = [];
const gainOf = ({ plain, outputs }) => 1 - outputs / plain;
for (const scheme of options.schemes.split(',')) {
  for (const model of options.models.split(',')) {
    const own = results.filter((one) => one.scheme === scheme && one.model === model);
    const errors = metrics.map((kind) => `${(100 * median(own.map((one) => one[kind]))).toFixed(2)} %`);
    const worst = Math.min(...own.map(gainOf));
    const seconds = own.reduce((sum, one) => sum + one.outputsSeconds, 0);
    const gain = median(own.map(gainOf));
    rows.push([
      scheme,
      model,
      String(own.length),
      ...errors,
      `${(100 * gain).toFixed(0)} %`,
      `${(100 * worst).toFixed(0)} %`,
      seconds.toFixed(1),
    ]);
  }
  const gain = median(results.filter((one) => one.scheme === scheme).map(gainOf));
  if (['tucker-2', 'cp'].includes(scheme)) verdicts.push({ scheme, gain, met: gain >= LEAST_GAIN });
}
const titles = [
  'scheme',
  'model',
  'layers',
  'plain',
  'diagonal',
  'outputs',
  'lower (median)',
  'lower (worst)',
  'seconds',
];
console.log(formatTable([titles, ...rows]));
for (const { scheme, gain, met } of verdicts)
  console.log(`${scheme}: ${(100 * gain).toFixed(0)} % lower on the median layer: ${met ? 'met' : 'MISSED'}`);
if (options.json) writeFileSync(options.json, JSON.stringify({ options, results, verdicts }, null, 1));
process.exitCode = verdicts.every(({ met }) => met) ? 0 : 1;
