// Bars, without training: AlexNet without its normalizations at least 2 times as fast at most 1.5 points lost; GoogLeNet 2 times as fast at
// most 4 points lost with peak activations at least 1.5 times lower, and 3 times as fast at most 5 with factorization (or pruning) and int8
// behind it;
// ResNet-56 and MobileNetV2 by depth merging 1.15 times as fast at most 2 points lost.
//   npm run bench -- deepen-accuracy [--budget SECONDS] [--levels all|bars|NAME,..] [--json FILE] [NAME...]
// CIFAR nets: 2,000 training images without labels fit and choose, the 10,000 test images score; MobileNetV2: 600 of the sample images with
// labels, the other 400 score. Accuracy of onnxruntime-node; times of both models in turn, one thread, processor time. What was made and
// answered is kept in MCOMPRESS_BENCH_FOLDER. Exits with 1 when a bar is missed.
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
const SAMPLES = ['--samples', '1200'];
const drop = (points) => ['--max-drop', String(points)];

/** Runs one after the other: a verb and its flags. The limits are those of disagreement where there are no labels. */
const deepen = (...flags) => ['deepen', [...flags, ...SAMPLES]];

const prune = (...flags) => ['prune', [...flags, ...SAMPLES]];

/** `levels`: the first is the one that the bar is about, a second bar names its level. */
const CASES = {
  'alexnet-lrn-cifar10': {
    data: CIFAR,
    levels: { bar: [deepen(...drop(4))], 'drop 1': [deepen(...drop(1))], 'drop 10': [deepen(...drop(10))] },
    bars: { bar: { drop: 1.5, speed: 2 } },
  },
  'googlenet-lrn-cifar10': {
    data: CIFAR,
    levels: {
      bar: [deepen(...drop(5)), prune(...drop(1.5)), prune('--memory', '0.66x', '--widths', '4')],
      'drop 2': [deepen(...drop(2))],
      'drop 10': [deepen(...drop(10))],
      'with factorization and int8': [
        deepen(...drop(5)),
        ['factorize', ['--macs', '0.8x', '--for', 'latency', ...drop(5), ...SAMPLES]],
        ['quantize', []],
      ],
      'with pruning and int8': [deepen(...drop(5)), prune(...drop(1.5)), prune('--memory', '0.66x'), ['quantize', []]],
    },
    bars: {
      bar: { drop: 4, speed: 2, memory: 1.5 },
      'with factorization and int8': { drop: 5, speed: 3 },
      'with pruning and int8': { drop: 5, speed: 3 },
    },
  },
  'resnet56-cifar10': {
    levels: {
      bar: [deepen('--rules', 'merge-depth', ...drop(2), '--effort', '15m')],
      'drop 3': [deepen('--rules', 'merge-depth', ...drop(3))],
      'drop 8': [deepen('--rules', 'merge-depth', ...drop(8))],
    },
    bars: { bar: { drop: 2, speed: 1.15 } },
  },
  'mobilenetv2-imagenet': {
    data: PHOTOGRAPHS,
    levels: { bar: [['deepen', ['--rules', 'merge-depth', ...drop(2), '--samples', '360', '--effort', '15m']]] },
    bars: { bar: { drop: 2, speed: 1.15 } },
  },
};

const host = new RuntimeHost();
const resultFile = options.json ?? join(workFolder, 'deepen-accuracy.json');
const round = (value, digits = 2) => value?.toFixed(digits) ?? '';
const interval = (gain) => (gain ? `${round(gain.value)} (${round(gain.low)} to ${round(gain.high)})` : '');

/** Each verb on what the one before gave. */
function made(one, steps) {
  let found = { path: one.file, seconds: 0 };
  const reports = [];
  for (const [verb, flags] of steps) {
    const next = pruneOurs({ ...one, file: found.path }, flags, verb);
    if (next.error) return { ...next, reports };
    reports.push(next.report);
    found = { ...next, seconds: found.seconds + next.seconds };
  }
  return { ...found, reports };
}

async function run(name, one, [level, steps], original) {
  const about = { model: name, level };
  const { path, seconds, error, reports } = made(one, steps);
  if (error) return { ...about, seconds, error };
  const scored = scoreModel(one, path);
  if (scored.error) return { ...about, seconds, error: scored.error };
  const { macs } = figuresOf(path);
  const gain = await speedUp(host, one, path, { seconds: Number(options.budget) });
  const [first] = reports;
  const last = reports.at(-1);
  const peaks = [first.figures.peakActivationBytes?.before, last.figures.peakActivationBytes?.after];
  const blocks = first.blocks?.filter(({ code }) => code === undefined) ?? [];
  const lrn = last.operators.find?.(({ opType }) => opType === 'LRN')?.after;
  return {
    ...about,
    seconds,
    ...{ top1: scored.top1, drop: scored.drop, agreement: scored.agreement, gain, lrn },
    macs: macs / original.macs,
    memory: peaks[0] / peaks[1],
    blocks: blocks.map(({ rule, form, block }) => `${rule} ${form} ${block}`),
  };
}

const cellsOf = ({ model, level, error, blocks, macs, memory, top1, drop: lost, gain, seconds }) =>
  error
    ? [model, level, error.slice(0, 70)]
    : [
        ...[model, level, String(blocks.length), round(macs, 3), round(memory)],
        ...[round(top1), round(lost), interval(gain), round(seconds, 0)],
      ];

function verdictOf(name, level, rows) {
  const bar = CASES[name].bars[level];
  const row = rows.find((one) => one.model === name && one.level === level);
  if (!row || row.error) return { met: false, text: `${name}, ${level}: MISSED: ${row?.error ?? 'not run'}` };
  const { drop: lost, gain, memory } = row;
  const met = lost <= bar.drop + 1e-9 && gain.value >= bar.speed && (bar.memory === undefined || memory >= bar.memory);
  const found = `${round(lost)} points lost, ${interval(gain)} times as fast, activations ${round(memory)} times lower`;
  const asked = `at most ${bar.drop} lost, ${bar.speed} times${bar.memory ? `, ${bar.memory} times lower` : ''}`;
  return { met, text: `${name}, ${level}: ${met ? 'met' : 'MISSED'}: ${found}; bar: ${asked}` };
}

const chosen = Object.keys(CASES).filter(
  (name) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
);
const rows = [];
const verdicts = [];
try {
  for (const name of chosen) {
    const { data, levels, bars } = CASES[name];
    const one = openCase(name, { key: 'deepen', data });
    const original = figuresOf(one.file);
    const wanted = { all: Object.keys(levels), bars: Object.keys(bars) }[options.levels] ?? options.levels.split(',');
    const asked = Object.entries(levels).filter(([level]) => wanted.includes(level));
    for (const level of asked) {
      const row = await run(name, one, level, original);
      rows.push(row);
      writeFileSync(resultFile, `${JSON.stringify(rows, null, 2)}\n`);
      process.stderr.write(`${cellsOf(row).join('  ')}\n`);
    }
    for (const level of Object.keys(bars).filter((asks) => wanted.includes(asks)))
      verdicts.push(verdictOf(name, level, rows));
  }
} finally {
  await host.dispose();
}
const heading = ['model', 'asked', 'blocks', 'MACs', 'memory', 'top-1', 'lost', 'times as fast', 's'];
console.log(formatTable([heading, ...rows.map(cellsOf)]));
console.log(`\n${verdicts.map(({ text }) => text).join('\n')}\n${resultFile}`);
if (verdicts.some(({ met }) => !met)) process.exitCode = 1;
