// Bar: synthetic graphs of 20,000 nodes slim in under 10 s, in time close to linear from 1,000 nodes on.
//   npm run bench -- large-graphs [--sizes 1000,5000,20000] [SHAPE...]
// Times the whole process of `slim --verify off --no-profile --no-report`; `cpu` is the processor time of the last size. `growth` is the exponent p of
// processor time ~ nodes^p between the last two sizes, start-up taken off. Exits with 1 when a graph takes 10 s, or p is above 1.3.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { decodeModel, encodeModel, Graph, Model, Tensor } from '../dist/index.js';
import { root } from './models.mjs';
import { formatTable } from './table.mjs';

const LIMIT_SECONDS = 10;
const MAX_GROWTH = 1.3;
const { values: options, positionals } = parseArgs({
  options: { sizes: { type: 'string', default: '1000,5000,20000' } },
  allowPositionals: true,
});

const attribute = (value) =>
  typeof value === 'string'
    ? { kind: 'string', value: Buffer.from(value) }
    : Array.isArray(value)
      ? { kind: 'ints', value }
      : value instanceof Tensor
        ? { kind: 'tensor', value }
        : value instanceof Graph
          ? { kind: 'graph', value }
          : Number.isInteger(value)
            ? { kind: 'int', value }
            : { kind: 'float', value };

/** A model under construction: float[1,4,8,8] x, one output. */
function createBuilder() {
  const model = new Model({ graphName: 'large', opsets: new Map([['', 17]]), irVersion: 8 });
  const type = (shape) => ({ kind: 'tensor', dtype: 'float32', shape });
  let graph = model.graph;
  let seed = 1;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647 - 0.5;
  const builder = {
    x: model.graph.addInput('x', type([1, 4, 8, 8])),
    node(opType, inputs, attributes = {}, outputs = 1) {
      const node = graph.addNode({
        opType,
        inputs,
        outputs: Array.from({ length: outputs }, (_, i) => `${opType.toLowerCase()}_${i}`),
        attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, attribute(value)])),
      });
      return outputs === 1 ? node.output : node.outputs;
    },
    ints: (...numbers) => graph.addInitializer(Tensor.int64s(numbers), 'ints'),
    floats(...dims) {
      const size = dims.reduce((a, b) => a * b, 1);
      return graph.addInitializer(Tensor.fromNumbers('float32', dims, Array.from({ length: size }, random)), 'w');
    },
    constant: (...numbers) =>
      builder.node('Constant', [], {
        value: Tensor.fromNumbers('float32', numbers.length === 1 ? [] : [numbers.length], numbers),
      }),
    branch(body) {
      const outer = graph;
      graph = new Graph(model, 'body');
      graph.setOutputs([body()]);
      const inner = graph;
      graph = outer;
      return inner;
    },
    random,
    finish(value) {
      model.graph.setOutputs([value]);
      return Buffer.concat(encodeModel(undefined, model));
    },
  };
  return builder;
}

/** Calls `step` until about `count` nodes are there, `per` nodes a step. */
function chain(b, count, per, step) {
  let value = b.x;
  for (let i = 0; i < count / per; i++) value = step(value, i);
  return value;
}

function wide(b, count, per, branch) {
  return b.node(
    'Concat',
    Array.from({ length: count / per }, (_, i) => branch(i)),
    { axis: 1 },
  );
}

const T = [0, 2, 3, 1];
const BACK = [0, 3, 1, 2];
const conv = (b, x, k = 1) => b.node('Conv', [x, b.floats(4, 4, k, k)], { pads: Array(4).fill((k - 1) / 2) });
const batchNorm = (b, x) => {
  const ones = () => b.node('Constant', [], { value: Tensor.fromNumbers('float32', [4], [1, 1, 1, 1]) });
  return b.node('BatchNormalization', [x, ones(), ones(), ones(), ones()]);
};

const SHAPES = {
  'nothing to do': (b, n) => chain(b, n, 2, (x) => b.node('Sigmoid', [b.node('Tanh', [x])])),
  constants: (b, n) => chain(b, n, 2, (x) => b.node('Add', [x, b.constant(b.random())])),
  identities: (b, n) =>
    chain(b, n, 4, (x) => b.node('Relu', [b.node('Identity', [b.node('Dropout', [b.node('Cast', [x], { to: 1 })])])])),
  'only identities': (b, n) => b.node('Relu', [chain(b, n, 1, (x) => b.node('Identity', [x]))]),
  transposes: (b, n) =>
    chain(b, n, 3, (x) =>
      b.node('Transpose', [b.node('Tanh', [b.node('Transpose', [x], { perm: T })])], { perm: BACK }),
    ),
  reshapes: (b, n) => chain(b, n, 2, (x) => b.node('Reshape', [b.node('Flatten', [x]), b.ints(1, 4, 8, 8)])),
  clips: (b, n) =>
    chain(b, n, 3, (x) => b.node('Clip', [b.node('Relu', [x]), b.constant(-1), b.constant(b.random() + 5)])),
  'conv, norm, relu, add': (b, n) =>
    chain(b, n, 8, (x) => b.node('Add', [x, b.node('Relu', [batchNorm(b, conv(b, x, 3))])])),
  'convs in a row': (b, n) => chain(b, n, 1, (x) => conv(b, x)),
  'hard swish in pieces': (b, n) =>
    chain(b, n, 8, (x) => {
      const clipped = b.node('Clip', [b.node('Add', [x, b.constant(3)]), b.constant(0), b.constant(6)]);
      return b.node('Div', [b.node('Mul', [x, clipped]), b.constant(6)]);
    }),
  'shapes computed': (b, n) =>
    chain(b, n, 7, (x) => {
      const shape = b.node('Shape', [x]);
      const batch = b.node('Unsqueeze', [b.node('Gather', [shape, b.ints(0)], { axis: 0 }), b.ints(0)]);
      const first = b.node('Squeeze', [batch, b.ints(0)]);
      return b.node('Tanh', [b.node('Reshape', [x, b.node('Concat', [first, b.ints(4, 8, 8)], { axis: 0 })])]);
    }),
  'wide concat': (b, n) => wide(b, n, 3, () => b.node('Mul', [b.node('Relu', [b.x]), b.constant(b.random())])),
  'wide equal': (b, n) => wide(b, n, 2, () => b.node('Tanh', [b.node('Sigmoid', [b.x])])),
  'wide convs': (b, n) => wide(b, n, 2, () => b.node('Relu', [conv(b, b.x)])),
  'wide convs apart': (b, n) => wide(b, n, 2, (i) => b.node(i % 2 ? 'Exp' : 'Sin', [conv(b, b.x, i % 3 ? 1 : 3)])),
  'nested concat': (b, n) => chain(b, n, 1, (x) => b.node('Concat', [x, b.x], { axis: 1 })),
  'sum of branches': (b, n) => chain(b, n, 2, (x) => b.node('Add', [x, conv(b, b.x)])),
  slices: (b, n) =>
    b.node(
      'Concat',
      Array.from({ length: n }, (_, i) => b.node('Slice', [b.x, b.ints(i % 7), b.ints((i % 7) + 1), b.ints(2)])),
      { axis: 1 },
    ),
  splits: (b, n) => chain(b, n, 2, (x) => b.node('Concat', b.node('Split', [x], { axis: 1 }, 4), { axis: 1 })),
  'shared weights': (b, n) => {
    const weights = b.floats(4, 4, 1, 1);
    return chain(b, n, 3, (x) => b.node('Relu', [b.node('Mul', [b.node('Conv', [x, weights]), b.constant(0.5)])]));
  },
  'constant conditions': (b, n) =>
    chain(b, n, 4, (x) => {
      const yes = b.node('Constant', [], { value: Tensor.scalar('bool', 1) });
      return b.node('If', [yes], {
        then_branch: b.branch(() => b.node('Tanh', [x])),
        else_branch: b.branch(() => b.node('Relu', [x])),
      });
    }),
  quantized: (b, n) => {
    const scale = b.floats();
    const zero = b.node('Constant', [], { value: Tensor.scalar('uint8', 0) });
    return chain(b, n, 3, (x) =>
      b.node('DequantizeLinear', [b.node('QuantizeLinear', [b.node('Relu', [x]), scale, zero]), scale, zero]),
    );
  },
  dead: (b, n) => {
    chain(b, n, 1, (x) => b.node('Tanh', [x]));
    return b.node('Relu', [b.x]);
  },
};

const folder = mkdtempSync(join(tmpdir(), 'mcompress-large-'));
const command = (input, output) => [
  join(root, 'bin/mcompress.js'),
  ...['slim', input, '-o', output, '--verify', 'off', '--no-profile', '--no-report', '--force'],
];

/** Processor time of ended children: waiting for other programs is no growth. Wall time where the system does not tell. */
function childSeconds() {
  try {
    const fields = readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ');
    return (Number(fields[13]) + Number(fields[14])) / 100;
  } catch {
    return performance.now() / 1000;
  }
}

function seconds(bytes) {
  const [input, output] = ['in.onnx', 'out.onnx'].map((name) => join(folder, name));
  writeFileSync(input, bytes);
  const start = performance.now();
  const busy = childSeconds();
  const run = spawnSync(process.execPath, command(input, output), { encoding: 'utf8', timeout: 120_000 });
  const time = (performance.now() - start) / 1000;
  if (run.status !== 0) throw new Error(run.stderr || `ended with ${run.signal ?? run.status}`);
  return { time, busy: childSeconds() - busy, nodes: decodeModel(readFileSync(output)).model.nodeTotal };
}

const sizes = options.sizes.split(',').map(Number);
const startUp = seconds(createTiny());
function createTiny() {
  const b = createBuilder();
  return b.finish(b.node('Relu', [b.x]));
}

const rows = [['graph', ...sizes.map((size) => `${size}`), 'cpu', 'growth', 'nodes left']];
let missed = 0;
for (const [name, build] of Object.entries(SHAPES)) {
  if (positionals.length > 0 && !positionals.some((word) => name.includes(word))) continue;
  const times = [];
  const work = [];
  let left = '';
  for (const size of sizes) {
    const b = createBuilder();
    try {
      const run = seconds(b.finish(build(b, size)));
      times.push(run.time);
      work.push(Math.max(0.05, run.busy - startUp.busy));
      left = run.nodes;
    } catch (error) {
      left = error.message.trim().split('\n').at(-1);
      times.push(Number.POSITIVE_INFINITY);
      work.push(Number.POSITIVE_INFINITY);
    }
  }
  const [before, last] = work.slice(-2);
  const growth = sizes.length > 1 ? Math.log(last / before) / Math.log(sizes.at(-1) / sizes.at(-2)) : 0;
  const isMissed = times.at(-1) >= LIMIT_SECONDS || growth > MAX_GROWTH;
  if (isMissed) missed++;
  rows.push([
    name,
    ...times.map((time) => time.toFixed(2)),
    last.toFixed(2),
    growth.toFixed(2) + (isMissed ? ' !' : ''),
    left,
  ]);
  process.stderr.write(`${rows.at(-1).join('  ')}\n`);
}
rmSync(folder, { recursive: true });
console.log(`seconds per process, of which start-up ${startUp.time.toFixed(2)}\n${formatTable(rows)}`);
process.exit(missed > 0 ? 1 : 0);
