// Bar: one point of ResNet-20's frontier is 1.2 times as fast and loses at most 1 point, without training.
//   npm run bench -- prune-frontier [--budget SECONDS] [--only frontier|curves] [--ratios 0.1,0.5] [--svg FILE] [--json FILE]
// MCOMPRESS_PYTHON and MCOMPRESS_TORCH_PYTHON bring the peers in.
// 2,000 training images without labels prune, the 10,000 test images score. The frontier: budgets of multiplications and of
// latency, beside Torch-Pruning's magnitude and onnxsim's structured pruning. The curves: 10 to 70 % of the filters by score,
// with and without the refit (--svg draws them). Times of both models in turn, one thread, processor time. Models and answers are
// kept in MCOMPRESS_BENCH_FOLDER. Exits with 1 when the bar is missed.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RuntimeHost } from '../dist/runtime/host.js';
import { listModels } from './models.mjs';
import { figuresOf, openCase, pruneOurs, scoreModel, workFolder } from './prune/cases.mjs';
import { byOnnxsim, byTorchPruning, CONFIGURATIONS, peers } from './prune/peer.mjs';
import { lineChart } from './prune/plot.mjs';
import { speedUp } from './prune/speed.mjs';
import { formatTable } from './table.mjs';

const { values: options } = parseArgs({
  options: {
    budget: { type: 'string', default: '8' },
    only: { type: 'string' },
    ratios: { type: 'string', default: '0.3,0.5,0.1,0.7,0.2,0.4,0.6' },
    svg: { type: 'string' },
    json: { type: 'string' },
  },
});
const NAME = 'resnet20-cifar10';
const BAR = { speed: 1.2, drop: 1 };
const MACS = [0.9, 0.8, 0.7, 0.6, 0.5];
const LATENCIES = [0.81, 0.75, 0.65];
const PEER_LEVELS = [0.9, 0.8, 0.7, 0.6, 0.5];
const SCORES = ['dropnet-minimum', 'dropnet-minimum-layer', 'random', 'l1', 'obs'];
/** Of the 2,000: the others choose nothing but are scored on the way. */
const MORE = ['--samples', '1500'];
/** For the curves: their many runs fit on 500 of the images. */
const FEWER = ['--limit', '600', '--samples', '500'];
/** The order of the default: a run that is cut off has seen the whole range. */
const ORDER = options.ratios.split(',').map(Number);
const RATIOS = [...ORDER].sort((a, b) => a - b);

const resultFile = options.json ?? join(workFolder, 'prune-frontier.json');
const one = openCase(NAME);
const original = figuresOf(one.file);
const host = new RuntimeHost();
const points = [];
const curves = [];
const save = () => writeFileSync(resultFile, `${JSON.stringify({ peers, points, curves }, null, 2)}\n`);
const round = (value, digits = 2) => value?.toFixed(digits) ?? '';

/** Accuracy and cost of a pruned model. */
function weigh({ path, error }) {
  if (error) return { error };
  const scored = scoreModel(one, path);
  if (scored.error) return scored;
  const { macs, parameters } = figuresOf(path);
  const { top1, drop, agreement, p } = scored;
  return { top1, drop, agreement, p, macs: macs / original.macs, parameters: parameters / original.parameters };
}

const cellsOf = ({ tool, asked, error, gain, ...found }) =>
  error
    ? [tool, asked, error.slice(0, 60)]
    : [
        tool,
        asked,
        round(found.macs, 3),
        round(found.parameters, 3),
        round(found.top1),
        round(found.drop),
        `${round(gain.value)} (${round(gain.low)} to ${round(gain.high)})`,
      ];

async function point(tool, asked, made, found = weigh(made)) {
  const gain = found.error ? undefined : await speedUp(host, one, made.path, { seconds: Number(options.budget) });
  points.push({ tool, asked, ...found, gain });
  save();
  process.stderr.write(`${cellsOf(points.at(-1)).join('  ')}\n`);
}

async function frontier() {
  await point('onnxsim', 'sparsity 0.25', byOnnxsim(NAME, one.file, 0.25));
  for (const left of LATENCIES)
    await point('ours', `latency ${left}x`, pruneOurs(one, ['--latency', `${left}x`, ...MORE]));
  for (const left of MACS)
    await point('ours', `macs ${left}x`, pruneOurs(one, ['--macs', `${left}x`, '--no-profile', ...MORE]));
  if (!peers.torchPruning) return;
  const [source] = listModels([`${NAME}-as-exported`]);
  for (const left of PEER_LEVELS) {
    const tried = CONFIGURATIONS.map((configuration) => {
      const made = byTorchPruning(NAME, source, left, configuration);
      return { configuration, made, found: weigh(made) };
    });
    const [best] = tried.filter(({ found }) => !found.error).sort((a, b) => a.found.drop - b.found.drop);
    if (best) await point(`Torch-Pruning ${best.configuration}`, `macs ${left}x`, best.made, best.found);
  }
}

function drawCurves() {
  for (const ratio of ORDER) {
    for (const name of SCORES) {
      for (const repair of ['on', 'off']) {
        const flags = ['--ratio', String(ratio), '--score', name, '--widths', 'any', '--no-profile', ...FEWER];
        const found = weigh(pruneOurs(one, [...flags, ...(repair === 'on' ? [] : ['--no-repair'])]));
        curves.push({ score: name, repair, ratio, ...found });
        save();
        process.stderr.write(`${name} refit ${repair} ${ratio}: ${found.error ?? `${round(found.top1)} %`}\n`);
      }
    }
  }
}

function chart() {
  const start = curves.length > 0 ? curves[0].top1 + curves[0].drop : 100;
  const series = SCORES.flatMap((name, color) =>
    ['on', 'off'].map((repair) => ({
      name: `${name}${repair === 'on' ? ', refitted' : ''}`,
      color,
      dash: repair === 'off',
      points: [
        [0, start],
        ...curves
          .filter((found) => found.score === name && found.repair === repair && !found.error)
          .sort((a, b) => a.ratio - b.ratio)
          .map(({ ratio, top1 }) => [100 * ratio, top1]),
      ],
    })),
  );
  return lineChart({
    title: 'ResNet-20 on CIFAR-10: accuracy by the part of the filters removed',
    description: 'One line per score; solid with the refit, dashed without.',
    x: { label: 'filters removed, %', ticks: [0, 10, 20, 30, 40, 50, 60, 70] },
    y: { label: 'top-1 on 10,000 test images, %', ticks: [0, 20, 40, 60, 80, 100] },
    series,
  });
}

function printCurves() {
  const cell = (name, repair, ratio) => {
    const found = curves.find((row) => row.score === name && row.repair === repair && row.ratio === ratio);
    return found?.error ? 'fails' : round(found?.top1);
  };
  const rows = SCORES.flatMap((name) =>
    ['on', 'off'].map((repair) => [
      `${name}${repair === 'on' ? ', refitted' : ''}`,
      ...RATIOS.map((ratio) => cell(name, repair, ratio)),
    ]),
  );
  console.log(formatTable([['top-1 by part of the filters removed', ...RATIOS], ...rows]));
}

try {
  if (options.only !== 'curves') {
    await frontier();
    const heading = ['tool', 'asked', 'left', 'parameters', 'top-1', 'lost', 'times as fast'];
    console.log(`${formatTable([heading, ...points.map(cellsOf)])}\n`);
  }
  if (options.only !== 'frontier') {
    drawCurves();
    printCurves();
    if (options.svg) writeFileSync(options.svg, chart());
  }
} finally {
  await host.dispose();
}
if (options.only !== 'curves') {
  const ours = points.filter(({ tool, error }) => tool === 'ours' && !error);
  const within = ours.filter(({ drop }) => drop <= BAR.drop + 1e-9).sort((a, b) => b.gain.value - a.gain.value);
  const met = within.length > 0 && within[0].gain.value >= BAR.speed;
  const best = within[0] ? `${round(within[0].gain.value)} times as fast at ${round(within[0].drop)} lost` : 'none';
  console.log(`\n${met ? 'met' : 'MISSED'}: best within ${BAR.drop} point: ${best}; bar ${BAR.speed}\n${resultFile}`);
  if (!met) process.exitCode = 1;
}
