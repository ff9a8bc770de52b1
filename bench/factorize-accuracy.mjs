// Bars, without training: AlexNet keeps a third of its parameters and 0.62 of its multiplications at most 2 points lost; ResNet-56 0.77 of its
// multiplications at most 1.0; SqueezeNet and MobileNetV2 are measured faster at most 1 point lost, or the report says why nothing paid.
//   npm run bench -- factorize-accuracy [--budget SECONDS] [--levels all|bar] [--json FILE] [NAME...]
// CIFAR nets: 2,000 training images without labels fit, the 10,000 test images score; the others: 600 of the sample images, with labels as a
// limit on the loss of accuracy needs them, of which 360 fit; the other 400 score. Accuracy of onnxruntime-node; times of both models in turn, one thread, processor time. What was made and answered is kept in
// MCOMPRESS_BENCH_FOLDER. Exits with 1 when a bar is missed.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RuntimeHost } from '../dist/runtime/host.js';
import { figuresOf, openCase, pruneOurs, scoreModel, workFolder } from './prune/cases.mjs';
import { speedUp } from './prune/speed.mjs';
import { cases } from './quantize/cases.mjs';
import { formatTable } from './table.mjs';

const { values: options, positionals } = parseArgs({
  options: {
    budget: { type: 'string', default: '10' },
    levels: { type: 'string', default: 'all' },
    json: { type: 'string' },
  },
  allowPositionals: true,
});

const CIFAR = { ...cases['resnet56-cifar10'].data };
const PHOTOGRAPHS = { calibration: 600, labels: true };

/** `levels`: budgets, the first of which `bar` is about; `data`: what is other than in the quantization benches. */
const CASES = {
  'alexnet-lrn-cifar10': {
    data: CIFAR,
    samples: 1500,
    levels: [
      { macs: 0.62, params: 0.33 },
      { macs: 0.8, params: 0.5 },
      { macs: 0.5, params: 0.25 },
      { macs: 0.4, params: 0.2 },
      { macs: 0.3, params: 0.15 },
    ],
    bar: { drop: 2 },
  },
  'resnet56-cifar10': {
    samples: 1500,
    levels: [{ macs: 0.769 }, { macs: 0.9 }, { macs: 0.6 }, { macs: 0.5 }],
    bar: { drop: 1 },
  },
  'squeezenet1.1-imagenet': {
    data: PHOTOGRAPHS,
    samples: 360,
    levels: [{}, { macs: 0.85 }],
    bar: { drop: 1, speed: 1 },
  },
  'mobilenetv2-imagenet': { data: PHOTOGRAPHS, samples: 360, levels: [{}, { macs: 0.9 }], bar: { drop: 1, speed: 1 } },
};

const host = new RuntimeHost();
const resultFile = options.json ?? join(workFolder, 'factorize-accuracy.json');
const round = (value, digits = 2) => value?.toFixed(digits) ?? '';
const interval = (gain) => (gain ? `${round(gain.value)} (${round(gain.low)} to ${round(gain.high)})` : '');

/** Without budgets as much goes as one point allows, and only what is faster. */
const flagsOf = (level, samples) => [
  ...(level.macs ? ['--macs', `${level.macs}x`] : []),
  ...(level.params ? ['--params', `${level.params}x`] : []),
  ...(level.macs || level.params ? ['--no-profile'] : ['--max-drop', '1']),
  ...['--samples', String(samples)],
];

async function run(name, one, level, original) {
  const about = { model: name, asked: Object.entries(level).flat().join(' ') || 'max-drop 1' };
  const { path, seconds, error, report } = pruneOurs(one, flagsOf(level, CASES[name].samples), 'factorize');
  if (error) return { ...about, seconds, error };
  const scored = scoreModel(one, path);
  if (scored.error) return { ...about, seconds, error: scored.error };
  const { macs, parameters } = figuresOf(path);
  const gain = await speedUp(host, one, path, { seconds: Number(options.budget) });
  const chains = report.layers.filter(({ chain }) => chain).length;
  const { top1, drop } = scored;
  const left = { macs: macs / original.macs, parameters: parameters / original.parameters };
  return { ...about, seconds, ...left, top1, drop, gain, chains, kept: report.kept };
}

const cellsOf = ({ model, asked, error, chains, macs, parameters, top1, drop, gain, seconds }) =>
  error
    ? [model, asked, error.slice(0, 70)]
    : [
        ...[model, asked, String(chains), round(macs, 3), round(parameters, 3)],
        ...[round(top1), round(drop), interval(gain), round(seconds, 0)],
      ];

function verdictOf(name, rows) {
  const { bar } = CASES[name];
  const [first] = rows.filter(({ model }) => model === name);
  if (!first || first.error) return { met: false, text: `${name}: MISSED: ${first?.error ?? 'not run'}` };
  const { drop, gain, kept, chains } = first;
  // Nothing that paid, and the report says so for every layer.
  if (bar.speed && kept === 'original')
    return { met: true, text: `${name}: nothing paid; the report says why, layer by layer` };
  const met = drop <= bar.drop + 1e-9 && (bar.speed === undefined || gain.low > bar.speed);
  const found = `${round(drop)} points lost, ${interval(gain)} times as fast, ${chains} chains`;
  return {
    met,
    text: `${name}: ${met ? 'met' : 'MISSED'}: ${found}; bar: at most ${bar.drop} lost${bar.speed ? ', faster' : ''}`,
  };
}

const chosen = Object.keys(CASES).filter(
  (name) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
);
const rows = [];
try {
  for (const name of chosen) {
    const one = openCase(name, { key: 'factorize', data: CASES[name].data });
    const original = figuresOf(one.file);
    for (const level of options.levels === 'bar' ? CASES[name].levels.slice(0, 1) : CASES[name].levels) {
      const row = await run(name, one, level, original);
      rows.push(row);
      writeFileSync(resultFile, `${JSON.stringify(rows, null, 2)}\n`);
      process.stderr.write(`${cellsOf(row).join('  ')}\n`);
    }
  }
} finally {
  await host.dispose();
}
const heading = ['model', 'asked', 'chains', 'MACs', 'parameters', 'top-1', 'lost', 'times as fast', 's'];
console.log(formatTable([heading, ...rows.map(cellsOf)]));
const verdicts = chosen.map((name) => verdictOf(name, rows));
console.log(`\n${verdicts.map(({ text }) => text).join('\n')}\n${resultFile}`);
if (verdicts.some(({ met }) => !met)) process.exitCode = 1;
