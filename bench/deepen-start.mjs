// The closed-form start of new layers against the one of the paper (Xavier): every block alone, agreement of the model with the original and
// noise at its outputs right after the replacement, before any other layer is touched.
//   npm run bench -- deepen-start [--rules LIST] [--svg FILE] [--json FILE] [NAME...]
// 2,000 training images of CIFAR-10 without labels: 1,500 fit, the others are compared. `kept` is the weights that the rule begins with:
// the layer's own, or composed ones, without a fit.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openData } from '../dist/data/open-data.js';
import { parsePreprocess } from '../dist/data/preprocess.js';
import { writeModel } from '../dist/onnx/write.js';
import { applyProposals, findProposals, rulesNamed } from '../dist/pipeline/deepening/blocks.js';
import { DEFAULT_DEEPENING } from '../dist/pipeline/deepening/settings.js';
import { xavierWeights } from '../dist/pipeline/deepening/xavier.js';
import { openBench } from '../dist/pipeline/pruning/prune-run.js';
import { repairLayers } from '../dist/pipeline/pruning/repair.js';
import { benchFacts } from '../dist/pipeline/quantization/bench.js';
import { presetPasses } from '../dist/pipeline/recipe.js';
import { withTradeRun } from '../dist/pipeline/trading/open-run.js';
import { openCase } from './prune/cases.mjs';
import { cases } from './quantize/cases.mjs';
import { formatTable } from './table.mjs';

const { values: options, positionals } = parseArgs({
  options: {
    rules: { type: 'string', default: 'slim-streamline,slim-branch' },
    svg: { type: 'string' },
    json: { type: 'string' },
  },
  allowPositionals: true,
});
const MODELS = ['alexnet-lrn-cifar10', 'googlenet-lrn-cifar10'];
const SEED = 0;

/** How new layers begin. */
const STARTS = {
  fitted: async ({ bench, teacher, layers, kept }) => {
    await repairLayers(bench, teacher, kept, { layers: new Set(layers), seed: SEED, onStage: () => undefined });
  },
  kept: async () => undefined,
  xavier: async ({ bench, layers }) => xavierWeights(layers, benchFacts(bench), SEED),
};

async function measure(run, rules, name, start) {
  const bench = await openBench(run, run.base);
  const { layers, kept } = applyProposals(bench, rules, [name]);
  await STARTS[start]({ bench, teacher: run.teacher, layers, kept });
  const folder = mkdtempSync(join(tmpdir(), 'deepen-start-'));
  const path = join(folder, 'model.onnx');
  await writeModel(bench.decoded.document, bench.decoded.model, path);
  const { loss } = await run.scorers.report.score(path);
  rmSync(folder, { recursive: true });
  // Without labels the loss is disagreement, in points.
  return 100 - loss.value;
}

async function blocksOf(model) {
  const one = openCase(model, { key: 'deepen', data: { ...cases['resnet56-cifar10'].data } });
  const rules = rulesNamed(options.rules.split(','));
  const request = {
    input: { path: one.file },
    output: undefined,
    recipe: { freeze: {}, opset: undefined, passes: presetPasses('exact') },
    settings: { ...DEFAULT_DEEPENING, maxDrop: 1, samples: 1500 },
    openData: (inputs, signal) => openData(one.images, { inputs, preprocess: parsePreprocess('raw'), signal }),
    ...{ journal: undefined, measure: 'off', seed: SEED, threads: 1, keepOverridable: false, externalData: 'auto' },
    signal: new AbortController().signal,
  };
  const kind = { repair: 'on', settings: {}, dataFree: (asked) => asked };
  return withTradeRun(request, kind, async (run) => {
    const { proposals } = findProposals(await openBench(run, run.base), rules);
    const rows = [];
    for (const { name, rule, proposal } of proposals) {
      const found = {};
      for (const start of Object.keys(STARTS)) found[start] = await measure(run, rules, name, start);
      rows.push({ model, rule: rule.name, form: proposal.form, block: proposal.block.label, ...found });
      process.stderr.write(`${cellsOf(rows.at(-1)).join('  ')}\n`);
    }
    return rows;
  });
}

const round = (value) => value.toFixed(1);
const cellsOf = ({ model, rule, form, block, fitted, kept, xavier }) => [
  ...[model, block, rule, form, round(fitted), round(kept), round(xavier)],
];

/** One line per block: where agreement begins, by start. */
function picture(rows) {
  const [left, width, line] = [330, 420, 18];
  const x = (agreement) => left + (agreement / 100) * width;
  const height = 50 + rows.length * line;
  const parts = rows.map((row, at) => {
    const y = 44 + at * line;
    const label = `${row.model.replace('-cifar10', '')} ${row.block} ${row.form}`;
    const dot = (start, colour) => `<circle cx="${x(row[start]).toFixed(1)}" cy="${y}" r="5" fill="${colour}"/>`;
    const rail = `<line x1="${left}" x2="${left + width}" y1="${y}" y2="${y}" stroke="#ddd"/>`;
    return `${rail}<text x="4" y="${y + 4}">${label}</text>${dot('xavier', '#c0392b')}${dot('kept', '#999')}${dot('fitted', '#1f6feb')}`;
  });
  const ticks = [0, 25, 50, 75, 100].map(
    (level) => `<text x="${x(level)}" y="24" text-anchor="middle">${level} %</text>`,
  );
  const key = '<text x="4" y="24">agreement: blue fitted, grey as kept, red Xavier</text>';
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + width + 20}" height="${height}" font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>${key}${ticks.join('')}${parts.join('')}</svg>\n`;
}

const chosen = MODELS.filter((name) => positionals.length === 0 || positionals.some((part) => name.includes(part)));
const rows = [];
for (const model of chosen) rows.push(...(await blocksOf(model)));
const heading = ['model', 'block', 'rule', 'form', 'fitted', 'kept', 'Xavier'];
console.log(formatTable([heading, ...rows.map(cellsOf)]));
if (options.svg) writeFileSync(options.svg, picture(rows));
if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
