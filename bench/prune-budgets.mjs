// Bar: whatever budget is asked for, no pruned model is slower than its original: 20 random budgets on each of 5 models.
//   npm run bench -- prune-budgets [--count 20] [--budget SECONDS] [--seed 0] [--json FILE] [NAME...]
// (factorize-budgets does the same with factorized models.)
// Budgets of every kind with random figures, and a score, in the order of the rounds, so that a run that was cut off has seen all
// models alike. 200 real samples, unlabelled. Then both models run in turn, one thread, processor time; a first "slower" is measured
// twice more and counts when two of three say so. After --macs and --params a model may be slower, but the report has to say it. A
// budget that cannot be kept may fail, in words. What was pruned is kept in MCOMPRESS_BENCH_FOLDER. Exits with 1 on a miss.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RuntimeHost } from '../dist/runtime/host.js';
import { compareLatency } from '../dist/runtime/latency.js';
import { listModels, modelName } from './models.mjs';
import { pruneOurs, workFolder } from './prune/cases.mjs';
import { writeFeeds } from './quantize/npy.mjs';
import { realFeeds } from './real-inputs.mjs';
import { formatTable } from './table.mjs';

const { values: options, positionals } = parseArgs({
  options: {
    count: { type: 'string', default: '20' },
    budget: { type: 'string', default: '8' },
    seed: { type: 'string', default: '0' },
    json: { type: 'string' },
    verb: { type: 'string', default: 'prune' },
  },
  allowPositionals: true,
});
const MODELS = [
  'mnist-bn-as-exported',
  'resnet8-cifar10',
  'resnet20-cifar10',
  'googlenet-lrn-cifar10',
  'mobilenetv1-025-vww',
];
const SAMPLES = 200;

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const between = (draw, low, high) => (low + draw() * (high - low)).toFixed(2);
const COMMON = {
  ratio: (draw) => ['--ratio', between(draw, 0.05, 0.7)],
  latency: (draw) => ['--latency', `${between(draw, 0.5, 0.95)}x`],
  macs: (draw) => ['--macs', `${between(draw, 0.3, 0.95)}x`],
  params: (draw) => ['--params', `${between(draw, 0.3, 0.95)}x`],
  drop: (draw) => ['--max-drop', between(draw, 0.2, 5)],
};
/** By verb: kinds of budgets, and what else is drawn. */
const VERBS = {
  prune: { kinds: COMMON, more: { '--score': ['auto', 'dropnet-minimum', 'l1', 'random'] } },
  factorize: {
    kinds: {
      ...COMMON,
      energy: (draw) => ['--energy', between(draw, 0.7, 0.99)],
      size: (draw) => ['--size', `${between(draw, 0.3, 0.95)}x`],
    },
    more: { '--metric': ['outputs', 'outputs', 'diagonal', 'plain'] },
  },
};
const { kinds: KINDS, more: MORE } = VERBS[options.verb];
/** These ask for something else than speed, in so many words. */
const EXEMPT = ['macs', 'params', 'size'];

function drawBudget(draw) {
  const kinds = Object.keys(KINDS);
  const kind = kinds[Math.floor(draw() * kinds.length)];
  const flags = KINDS[kind](draw);
  const more = Object.entries(MORE).flatMap(([flag, choices]) => [flag, choices[Math.floor(draw() * choices.length)]]);
  return { kind, flags: [...flags, ...more] };
}

/** Rounds of one budget per model. */
const draw = random(Number(options.seed));
const rounds = Array.from({ length: Number(options.count) }, () =>
  MODELS.map((name) => ({ name, ...drawBudget(draw) })),
);

async function openModel(name) {
  const file = listModels([name]).find((path) => modelName(path) === name);
  const folder = join(workFolder, 'data');
  mkdirSync(folder, { recursive: true });
  const images = join(folder, `budgets-${name}.npz`);
  const feeds = await realFeeds(name, SAMPLES);
  if (!file || feeds.length === 0) {
    console.error(`${name}: the model or its data is missing (docs/benchmarks.md says what brings it)`);
    process.exit(2);
  }
  if (!existsSync(images)) writeFeeds(images, feeds);
  return { name, file, images, key: 'budgets', feeds: feeds[0] };
}

/** One comparison; two more when it says slower. */
async function compareTimes(host, one, path) {
  const take = (seed) =>
    compareLatency(host, one.file, path, one.feeds, { seed, budget: 1000 * Number(options.budget) });
  const taken = [await take(0)];
  if (taken[0].verdict === 'slower') taken.push(await take(1), await take(2));
  const ratios = taken.map(({ cpu }) => cpu.value).sort((a, b) => a - b);
  const slower = taken.filter(({ verdict }) => verdict === 'slower').length >= 2;
  return { ratio: ratios[ratios.length >> 1], slower };
}

const host = new RuntimeHost();
const opened = new Map();
const rows = [];

async function judge({ name, kind, flags }) {
  if (!opened.has(name)) opened.set(name, await openModel(name));
  const one = opened.get(name);
  const made = pruneOurs(one, flags, options.verb);
  // Nothing was written: what is not there is not slower, but it has to be said why.
  if (made.error) return { error: made.error, met: /\w+ \w+/.test(made.error) && made.status === 1 };
  const { ratio, slower } = await compareTimes(host, one, made.path);
  const { kept, figures } = made.report;
  const said = figures.latency?.verdict === 'slower';
  return { kept, ratio, slower, met: !slower || (EXEMPT.includes(kind) && said) };
}

const cellsOf = ({ name, flags, error, kept, ratio, slower, met }) => [
  `${name} ${flags.join(' ')}`,
  error ? 'none' : kept,
  ratio?.toFixed(3) ?? '',
  met ? (slower ? 'slower, as said' : '') : 'MISSED',
  error ? error.slice(0, 90) : '',
];

try {
  for (const budget of rounds.flat()) {
    if (positionals.length > 0 && !positionals.some((part) => budget.name.includes(part))) continue;
    const row = { ...budget, ...(await judge(budget)) };
    rows.push(row);
    process.stderr.write(`${cellsOf(row).join('  ')}\n`);
    if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
  }
} finally {
  await host.dispose();
}
const heading = ['model and budget', 'kept', 'time, times', 'verdict', 'error'];
console.log(formatTable([heading, ...rows.map(cellsOf)]));
const missed = rows.filter(({ met }) => !met).length;
const made = rows.filter(({ ratio }) => ratio !== undefined);
console.log(
  `\n${missed === 0 ? 'met' : 'MISSED'}: ${missed} of ${rows.length} budgets gave a slower model or broke; ` +
    `${made.filter(({ kept }) => kept !== 'original').length} changed, ${rows.length - made.length} refused`,
);
if (missed > 0) process.exitCode = 1;
