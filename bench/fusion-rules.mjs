// When does ONNX Runtime compute in integers? Each rule of docs/quantization-rules.md as a small QDQ graph whose optimized form is
// read back; then widths and kinds of layers by time. Usage: npm run bench -- fusion-rules [rules|times] [WORD...]
// `says`: operators expected in float; `runs`: those that were.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createRng } from '../dist/base/rng.js';
import { decodeModel } from '../dist/index.js';
import { bundleTest } from './bundle.mjs';
import { CONV_CASES } from './fusion-conv-cases.mjs';
import { OPERATOR_CASES } from './fusion-operator-cases.mjs';
import { timeLayers } from './fusion-times.mjs';
import { formatTable } from './table.mjs';

const ort = createRequire(import.meta.url)('onnxruntime-node');
const { QdqNet } = await import(pathToFileURL(await bundleTest('test/pipeline/qdq-net.ts')).href);
const STEP = 0.02;
/** Steps from which a result is wrong: rounding in several layers gives up to 6. */
const WRONG = 8;
const QDQ = new Set(['QuantizeLinear', 'DequantizeLinear']);

function buildCase(build, { opset, irVersion, input } = {}) {
  const net = new QdqNet({ ...(opset ? { opset } : {}), ...(irVersion ? { irVersion } : {}) });
  const x = net.input([1, 16, 8, 8]);
  const built = build(net, input === 'raw' ? x : net.qdq(x));
  return net.bytes(...[built].flat());
}

/** The graph that ONNX Runtime runs; `signed` allows int8 activations on this processor. */
async function optimized(bytes, path, level, signed) {
  const options = {
    graphOptimizationLevel: level,
    optimizedModelFilePath: path,
    logSeverityLevel: 4,
    intraOpNumThreads: 1,
    ...(signed ? { extra: { 'session.qdqisint8allowed': '1' } } : {}),
  };
  const session = await ort.InferenceSession.create(bytes, options);
  await session.release();
  return decodeModel(readFileSync(path)).model.graph;
}

/** Largest difference of the optimized from the unoptimized outputs, in steps of 0.02, over values beyond a step. */
async function wrongBy(bytes, signed) {
  const outputs = [];
  for (const level of ['disabled', 'all']) {
    const extra = signed ? { extra: { 'session.qdqisint8allowed': '1' } } : {};
    const session = await ort.InferenceSession.create(bytes, {
      graphOptimizationLevel: level,
      logSeverityLevel: 4,
      intraOpNumThreads: 1,
      ...extra,
    });
    const feeds = Object.fromEntries(session.inputMetadata.map(({ name, shape }) => [name, feed(name, shape)]));
    outputs.push(Object.values(await session.run(feeds)).map(({ data }) => Array.from(data, Number)));
    await session.release();
  }
  const [as, bs] = outputs;
  return Math.max(...as.map((a, i) => Math.max(...a.map((value, j) => Math.abs(value - bs[i][j]))))) / STEP;
}

function feed(name, shape) {
  const rng = createRng(name);
  const size = shape.reduce((a, b) => a * b, 1);
  return new ort.Tensor(
    'float32',
    Float32Array.from({ length: size }, () => rng.normal()),
    shape,
  );
}

/** Every operator that ran, with its activation, in order; `float` those that computed on floats. */
function describe(graph) {
  const floats = new Set(graph.inputs);
  const names = [];
  const float = new Set();
  for (const node of graph.nodes()) {
    const [input] = node.inputs;
    const border = node.opType === 'QuantizeLinear' ? input.isInput : node.output.isGraphOutput;
    const isFloat = node.opType === 'DequantizeLinear' || (floats.has(input) && node.opType !== 'QuantizeLinear');
    const full = node.opType === 'QGemm' && node.inputs[7] === undefined;
    if (isFloat || full || /^MatMulIntegerToFloat$/.test(node.opType))
      for (const output of node.outputs) floats.add(output);
    if (QDQ.has(node.opType) && border) continue;
    names.push(label(node));
    if (isFloat && !QDQ.has(node.opType)) for (const part of partsOf(node)) float.add(part);
  }
  return { names, float: [...float].sort() };
}

function label(node) {
  if (node.opType === 'DequantizeLinear') return node.inputs[0].initializer ? 'DQ(weights)' : 'DQ';
  return node.opType === 'QuantizeLinear'
    ? 'Q'
    : [node.opType, node.string('activation', '')].filter(Boolean).join('+');
}

function partsOf(node) {
  const own = node.opType.replace(/^Fused/, '');
  return [own, node.string('activation', '')].filter(Boolean);
}

async function checkRules(words) {
  const folder = mkdtempSync(join(tmpdir(), 'mcompress-bench-'));
  const rows = [
    [
      'rule',
      'case',
      'verdict',
      'says float',
      'runs in float',
      'at all',
      'steps off',
      'transposes',
      'what runs (without Q of inputs, DQ of outputs)',
    ],
  ];
  let differing = 0;
  for (const [rule, name, says, build, options = {}] of [...CONV_CASES, ...OPERATOR_CASES]) {
    if (words.length > 0 && !words.some((word) => name.includes(word) || rule === word)) continue;
    const row = [`4.${rule}`, name];
    try {
      const bytes = buildCase(build, options);
      const found = describe(await optimized(bytes, join(folder, 'optimized.onnx'), 'extended', options.signed));
      const runs = found.float.join(' ');
      const final = describe(await optimized(bytes, join(folder, 'optimized.onnx'), 'all', options.signed));
      const all = final.float.join(' ');
      const transposes = final.names.filter((part) => part === 'Transpose').length;
      const steps = await wrongBy(bytes, options.signed);
      const wrong = steps > WRONG;
      const holds = runs === says.split(' ').sort().join(' ') && wrong === (options.wrong ?? false);
      if (!holds) differing++;
      rows.push([
        ...row,
        holds ? 'holds' : 'DIFFERS',
        says || '-',
        runs || '-',
        all === runs ? '' : all || '-',
        `${steps.toFixed(1)}${wrong ? ' WRONG' : ''}`,
        transposes || '',
        found.names.join(' '),
      ]);
    } catch (error) {
      differing++;
      rows.push([...row, 'REFUSED', says || '-', '', '', '', '', String(error.message).split('\n')[0].slice(0, 160)]);
    }
  }
  rmSync(folder, { recursive: true });
  console.log(formatTable(rows));
  console.log(`${differing} of ${rows.length - 1} differ, onnxruntime-node ${ort.env.versions.node ?? ''}`);
  if (differing > 0) process.exitCode = 1;
}

const [part, ...words] = process.argv.slice(2);
const parts = part === 'rules' || part === 'times' ? [part] : ['rules', 'times'];
const filter = parts.length === 1 ? words : process.argv.slice(2);
if (parts.includes('rules')) await checkRules(filter);
if (parts.includes('times')) await timeLayers(QdqNet, filter);
