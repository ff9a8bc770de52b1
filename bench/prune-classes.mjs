// Bar: ResNet-56 cut to three classes is 1.5 times as fast, beyond the cut head, with no loss against the original restricted to them.
//   npm run bench -- prune-classes [--budget SECONDS] [--json FILE] [NAME...]
// ResNet-56: 2,000 training images of the classes prune, their 3,000 test images score. MobileNetV2 keeps a hundred classes: half of
// their photographs prune, the other half score, and no bar but never slower: agreement with the original restricted to them, size, speed.
// Everything is compared with the original restricted to the classes: accuracy by its answers for these, time by the model with
// only its head cut. Both models run in turn, one thread, processor time. Exits with 1 when the bar is missed.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RuntimeHost } from '../dist/runtime/host.js';
import { figuresOf, openCase, pruneOurs, referenceOf, restrict, workFolder } from './prune/cases.mjs';
import { speedUp } from './prune/speed.mjs';
import { answersOf, score } from './quantize/scores.mjs';
import { formatTable } from './table.mjs';

const { values: options, positionals } = parseArgs({
  options: { budget: { type: 'string', default: '10' }, json: { type: 'string' } },
  allowPositionals: true,
});

const FOR_SPEED = ['macs 0.6x', 'macs 0.75x', 'macs 0.45x', 'latency 0.65x'];
const FOR_SIZE = ['macs 0.8x', 'macs 0.9x', 'macs 0.7x'];
const HUNDRED = Array.from({ length: 100 }, (_, at) => 10 * at);
const CASES = [
  { key: 'first', name: 'resnet56-cifar10', classes: [0, 1, 2], asked: FOR_SPEED, speed: 1.5, samples: 2000 },
  { key: 'pets', name: 'resnet56-cifar10', classes: [3, 5, 7], asked: FOR_SPEED, speed: 1.5, samples: 2000 },
  { key: 'hundred', name: 'mobilenetv2-imagenet', classes: HUNDRED, asked: FOR_SIZE, samples: 50 },
];

const host = new RuntimeHost();
const resultFile = options.json ?? join(workFolder, 'prune-classes.json');
const round = (value, digits = 2) => value?.toFixed(digits) ?? '';
const rows = [];

/** The original with nothing but its head cut: so small a budget removes nothing, which the command calls missed. */
function cutHead(one, classes) {
  const flags = ['--classes', classes.join(','), '--ratio', '0.0001', '--limit', '64', '--no-repair', '--no-profile'];
  const made = pruneOurs(one, flags);
  if (made.error) throw new Error(`the head of ${one.name} could not be cut: ${made.error}`);
  return made.path;
}

const cellsOf = ({ key, asked, error, gain, ...found }) =>
  error
    ? [key, asked, error.slice(0, 80)]
    : [
        key,
        asked,
        round(found.macs, 3),
        round(found.parameters, 3),
        round(found.bytes, 3),
        round(found.floatTop1),
        round(found.top1),
        round(found.drop),
        round(found.agreement, 1),
        `${round(gain.value)} (${round(gain.low)} to ${round(gain.high)})`,
      ];

function keep(row) {
  rows.push(row);
  writeFileSync(resultFile, `${JSON.stringify(rows, null, 2)}\n`);
  process.stderr.write(`${cellsOf(row).join('  ')}\n`);
}

/** A model that answers for the classes alone, beside the original restricted to them. */
async function weigh(one, path, { head, base, classes }) {
  const answers = answersOf(path, one.folder, one.scored, `${path}.f32`);
  if (answers.error) return answers;
  if (answers.width !== classes.length) return { error: `answers for ${answers.width} classes` };
  const reference = restrict(referenceOf(one), classes);
  const labels = one.labels.map((label) => classes.indexOf(label));
  const { floatTop1, top1, drop, p, agreement } = score(reference, answers, labels);
  const { macs, parameters, bytes } = figuresOf(path);
  const part = { macs: macs / base.macs, parameters: parameters / base.parameters, bytes: bytes / base.bytes };
  const gain = await speedUp(host, { ...one, file: head }, path, { seconds: Number(options.budget) });
  return { floatTop1, top1, drop, p, agreement, ...part, gain };
}

async function runCase({ key, name, classes, asked, samples }) {
  const one = openCase(name, { key: `classes-${key}`, data: { classes, calibration: samples } });
  const head = cutHead(one, classes);
  const base = figuresOf(head);
  keep({ key, asked: 'head cut', ...(await weigh(one, head, { head, base, classes })) });
  for (const budget of asked) {
    const [kind, figure] = budget.split(' ');
    const made = pruneOurs(one, [
      '--classes',
      classes.join(','),
      `--${kind}`,
      figure,
      ...(kind === 'macs' ? ['--no-profile'] : []),
      ...(samples >= 2000 ? ['--samples', '1600'] : []),
    ]);
    const found = made.error ? { error: made.error } : await weigh(one, made.path, { head, base, classes });
    keep({ key, asked: budget, ...found });
  }
}

function verdictOf({ key, name, classes, speed }) {
  const ours = rows.filter((row) => row.key === key && row.asked !== 'head cut');
  const label = `${name}, ${classes.length} classes (${key})`;
  const failed = ours.find(({ error }) => error);
  if (failed) return { met: false, text: `${label}: MISSED: ${failed.error}` };
  if (speed === undefined) {
    const slower = ours.filter(({ gain }) => gain.high < 1);
    return { met: slower.length === 0, text: `${label}: ${slower.length === 0 ? 'met' : 'MISSED'}: never slower` };
  }
  const [best] = ours.filter(({ drop }) => drop <= 1e-9).sort((a, b) => b.gain.value - a.gain.value);
  const met = best !== undefined && best.gain.value >= speed;
  const found = best ? `${round(best.gain.value)} times as fast at ${round(best.drop)} lost` : 'every point loses';
  return { met, text: `${label}: ${met ? 'met' : 'MISSED'}: ${found}; bar ${speed} at no loss` };
}

const chosen = CASES.filter(
  ({ key, name }) => positionals.length === 0 || positionals.some((part) => key === part || name.includes(part)),
);
try {
  for (const one of chosen) await runCase(one);
} finally {
  await host.dispose();
}
const heading = [
  'case',
  'asked',
  'MACs',
  'parameters',
  'bytes',
  'restricted',
  'top-1',
  'lost',
  'agree %',
  'times as fast',
];
console.log(formatTable([heading, ...rows.map(cellsOf)]));
const verdicts = chosen.map(verdictOf);
console.log(`\n${verdicts.map(({ text }) => text).join('\n')}\n${resultFile}`);
if (verdicts.some(({ met }) => !met)) process.exitCode = 1;
