// Bar: int8 loses at most 0.5 points (MobileNetV2), 0.3 (SqueezeNet, ResNet8), 0.2 (ResNet-20, -56), and no more than the peer.
//   MCOMPRESS_PYTHON=python npm run bench -- quantize-accuracy [--splits 5] [--only ours|peer] [--json FILE] [NAME...]
// Top-1 on the images that did not calibrate, mean over seeded splits, with agreement and signal-to-noise of the outputs
// against the float model, and the exact McNemar p of the drop. The peer is the best of onnxruntime.quantization's
// configurations on the same splits. All tools calibrate on the same arrays, and one scorer (onnxruntime-node, one thread)
// runs all models. Data and the peer's models are kept in MCOMPRESS_BENCH_FOLDER (default: below the temporary folder),
// which also gets accuracy.json and, renewed after every model, accuracy.txt. Exits with 1 when a bar is missed.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  calibrationFile,
  chosenCases,
  hasCommand,
  ourCommand,
  prepareData,
  quantizeOurs,
  workFolder,
} from './quantize/cases.mjs';
import { readLabels } from './quantize/npy.mjs';
import { configurations, peerFolder, peerVersions, prepareForPeer, quantizeByPeer } from './quantize/peer.mjs';
import { answersOf, paired, pick, score } from './quantize/scores.mjs';
import { formatTable } from './table.mjs';

const { values: options, positionals } = parseArgs({
  options: { splits: { type: 'string', default: '5' }, only: { type: 'string' }, json: { type: 'string' } },
  allowPositionals: true,
});
const splitCount = Number(options.splits);
const chosen = chosenCases(positionals);
const versions = peerVersions();
const runOurs = options.only !== 'peer' && hasCommand('quantize');
if (options.only !== 'peer' && !runOurs) console.error('ours: left out, this build has no command `quantize`');
const tools = [...(options.only === 'ours' ? [] : configurations), ...(runOurs ? ['ours'] : [])];
const resultFile = options.json ?? join(workFolder, 'accuracy.json');
const tableFile = `${resultFile.replace(/\.json$/, '')}.txt`;

/** What all splits of a model share: its data, its float answers, the model the peer starts from. */
function setUp(one) {
  const { folder, splits } = prepareData(one, splitCount);
  const peers = peerFolder(one.name, one.file, versions);
  const labels = readLabels(join(folder, 'labels.npy'));
  const everyRow = labels.map((_, row) => row);
  const reference = answersOf(one.file, folder, everyRow, join(peers, 'float.f32'));
  if (reference.error) throw new Error(`${one.name} does not run: ${reference.error}`);
  const prepared = options.only === 'ours' ? undefined : prepareForPeer(peers, one.file);
  return { ...one, folder, splits, peers, labels, reference, prepared };
}

function quantizeWith(tool, one, split) {
  const data = calibrationFile(one.folder, split);
  if (tool !== 'ours') {
    if (one.prepared.error) return { error: one.prepared.error };
    return quantizeByPeer(one.peers, one.prepared.path, { data, key: `split-${split}`, configuration: tool });
  }
  const path = join(workFolder, 'ours', `${one.name}-${split}.onnx`);
  mkdirSync(join(workFolder, 'ours'), { recursive: true });
  rmSync(path, { force: true });
  rmSync(`${path}.f32`, { force: true });
  return { path, ...quantizeOurs(one.file, data, path) };
}

/** One tool on one split: its scores, or the error. */
function take(tool, one, split) {
  const { path, ...outcome } = quantizeWith(tool, one, split);
  if (outcome.error) return { split, ...outcome };
  const { scored } = one.splits[split];
  const answers = answersOf(path, one.folder, scored, `${path}.f32`);
  if (answers.error) return { split, ...outcome, error: answers.error };
  const labels = scored.map((row) => one.labels[row]);
  return { split, ...outcome, ...score(pick(one.reference, scored), answers, labels) };
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Means over the splits of one tool; failures of single splits fail the whole. */
function summarize(results) {
  const error = results.find((result) => result.error)?.error ?? null;
  if (error !== null || results.length === 0) return { error };
  const over = (figure) => mean(results.map((result) => result[figure]));
  return {
    error,
    floatTop1: over('floatTop1'),
    top1: over('top1'),
    drop: over('drop'),
    worstDrop: Math.max(...results.map(({ drop }) => drop)),
    leastP: Math.min(...results.map(({ p }) => p)),
    agreement: over('agreement'),
    decibels: over('decibels'),
    seconds: mean(results.map(({ seconds, wallSeconds }) => seconds ?? wallSeconds)),
    peakBytes: Math.max(...results.map(({ peakBytes }) => peakBytes ?? 0)),
  };
}

function judge({ name, drop: allowed }, summaries, results) {
  const peer = configurations
    .flatMap((tool) => (summaries[tool]?.drop === undefined ? [] : [{ tool, drop: summaries[tool].drop }]))
    .sort((a, b) => a.drop - b.drop)[0];
  const ours = summaries.ours;
  if (!ours) return { name, allowed, peer };
  // Drops are whole images over splits; the slack is for the rounding of their mean.
  const bar = Math.min(allowed, peer?.drop ?? Infinity) + 1e-9;
  const met = ours.error === null && ours.drop <= bar;
  if (ours.error !== null || !peer) return { name, allowed, peer, drop: ours.drop ?? null, met };
  // In the middle of a run the peer is a split ahead.
  const beside = results.ours.map(({ right }, split) => paired(results[peer.tool][split].right, right));
  return { name, allowed, peer, drop: ours.drop, met, beside };
}

const number = (value, digits = 2) => (value === undefined ? '' : value.toFixed(digits));

function rowsOf({ name }, results, summaries) {
  return tools.map((tool) => {
    const found = summaries[tool];
    const splits = results[tool].length;
    if (found.error) return [`${name} ${tool}`, splits, found.error.slice(0, 60)];
    return [
      `${name} ${tool}`,
      splits,
      number(found.floatTop1),
      number(found.top1),
      number(found.drop),
      number(found.worstDrop),
      number(found.leastP, 3),
      number(found.agreement),
      number(found.decibels),
      number(found.seconds, 1),
      found.peakBytes ? (found.peakBytes / 2 ** 20).toFixed(0) : '',
    ];
  });
}

function verdictLine({ name, allowed, peer, drop, met, beside }) {
  const best = peer ? `the peer's best ${number(peer.drop)} (${peer.tool})` : 'no peer';
  const bar = `at most ${allowed}, ${best}`;
  if (met === undefined) return `${name}: bar ${bar}; ours not run`;
  const p = beside?.map((split) => number(split.p)).join(' ');
  const pairs = p ? `; ours against that peer, p per split: ${p}` : '';
  return `${name}: ${met ? 'met' : 'MISSED'}: ${drop === null ? 'fails' : number(drop)}, bar ${bar}${pairs}`;
}

const heading = ['model and tool', 'splits', 'float', 'top-1', 'drop', 'worst', 'least p', 'agree %', 'dB', 's', 'MiB'];
const states = chosen.map((one) => ({ one, results: Object.fromEntries(tools.map((tool) => [tool, []])) }));

/** Right or wrong per image is for the comparison of tools only. */
const withoutRows = (key, value) => (key === 'right' ? undefined : value);

function publish() {
  const judged = states.map(({ one, results }) => {
    const summaries = Object.fromEntries(tools.map((tool) => [tool, summarize(results[tool])]));
    return { model: one.name, summaries, results, verdict: judge(one, summaries, results) };
  });
  const rows = states.flatMap(({ one, results }, at) =>
    tools.some((tool) => results[tool].length > 0) ? rowsOf(one, results, judged[at].summaries) : [],
  );
  const verdicts = judged.map(({ verdict }) => verdict);
  const text = `${formatTable([heading, ...rows])}\n\n${verdicts.map(verdictLine).join('\n')}\n`;
  const command = ourCommand({ model: 'MODEL', data: 'DATA', out: 'OUT' }).slice(1).join(' ');
  mkdirSync(workFolder, { recursive: true });
  writeFileSync(resultFile, `${JSON.stringify({ versions, command, models: judged }, withoutRows, 2)}\n`);
  writeFileSync(tableFile, text);
  return { text, verdicts };
}

const ready = new Map();
const setUpOnce = (one) => {
  if (!ready.has(one.name)) ready.set(one.name, setUp(one));
  return ready.get(one.name);
};
for (let split = 0; split < splitCount; split++) {
  for (const { one, results } of states) {
    for (const tool of tools) {
      const result = take(tool, setUpOnce(one), split);
      results[tool].push(result);
      const found = result.error ?? `drop ${number(result.drop)}, ${number(result.decibels)} dB`;
      process.stderr.write(`split ${split} ${one.name} ${tool}: ${found}\n`);
      publish();
    }
  }
}
const { text, verdicts } = publish();
console.log(text);
console.log(`${resultFile}`);
if (verdicts.some(({ met }) => met === false)) process.exitCode = 1;
