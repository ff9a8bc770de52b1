// `mcompress eval` on the digits of the fixtures: figures, gates, forms of the report, errors.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openModel } from '../../src/onnx/open.js';
import { writeModel } from '../../src/onnx/write.js';
import type { EvalReport } from '../../src/report/eval-report.js';
import { parseReport } from '../../src/report/json.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { fixture, mcompress, mcompressJson, widest } from './run-program.js';
import { useScratch } from './scratch.js';

const scratch = useScratch();
const MNIST = fixture('mnist-bn-as-exported.onnx');
const DATA = ['--data', fixture('mnist-300'), '--preprocess', 'raw'];

it('scores 300 digits as onnxruntime does in Python', async () => {
  const report = await mcompressJson<EvalReport>(['eval', MNIST, ...DATA]);
  expect(report).toMatchObject({
    kind: 'eval',
    data: { samples: 300, labelled: 300, skippedCount: 0 },
    task: { kind: 'classify', outputs: ['logits'], classes: 10, scores: 'logits', labelOffset: 0 },
    accuracy: { top1: { count: 299, total: 300 }, top5: { count: 300 } },
    mistakes: [{ label: 3, predicted: 8 }],
  });
  expect(report.accuracy?.crossEntropy).toBeCloseTo(0.0206501, 6);
  expect(report.classes).toHaveLength(10);
  expect(report.classes[3]).toMatchObject({ samples: 30, right: { count: 29 }, takenFor: 8, takenForCount: 1 });
});

it('draws a limited number by the seed, the same every time', async () => {
  const names = async (seed: string): Promise<string> => {
    const { confusion, data } = await mcompressJson<EvalReport>([
      'eval',
      MNIST,
      ...DATA,
      '--limit',
      '50',
      '--seed',
      seed,
    ]);
    expect(data).toMatchObject({ samples: 50, limit: 50 });
    return JSON.stringify(confusion);
  };
  expect(await names('1')).toBe(await names('1'));
});

it('compares with a reference, and writes every form of the report', async () => {
  const files = ['r.json', 'r.md', 'r.html'].map(scratch.path);
  const flags = files.flatMap((name) => ['--report', name]);
  const { status, stdout } = await mcompress([
    'eval',
    MNIST,
    ...DATA,
    '--reference',
    MNIST,
    '--max-drop',
    '0',
    ...flags,
  ]);
  expect(status).toBe(0);
  expect(stdout).toContain('Loss (top-1 lost): 0.0 points');
  expect(stdout.replaceAll(/\s+/g, ' ')).toContain('Both are right on the same samples of 300: no difference');
  expect(widest(stdout)).toBeLessThanOrEqual(80);
  const [json = '', markdown = '', html = ''] = files.map((name) => readFileSync(name, 'utf8'));
  expect(parseReport(json, 'eval', 'r.json')).toMatchObject({
    paired: { lost: 0, gained: 0 },
    gate: { verdict: 'met' },
  });
  expect(markdown).toContain('- Top-1: **99.7 %**');
  expect(html).toContain('taken for 8: 1 of 30');
});

it('exits 1 when more is lost than --max-drop allows', async () => {
  const broken = scratch.path('broken.onnx');
  const { model, document } = await openModel(MNIST);
  const weight = model.graph.nodes().find(({ opType }) => opType === 'Conv')?.inputs[1];
  const { dims = [], size = 0 } = weight?.constant ?? {};
  if (weight)
    model.graph.setInitializer(weight, {
      kind: 'dense',
      tensor: Tensor.fromNumbers('float32', dims, new Float32Array(size)),
    });
  await writeModel(document, model, broken);
  const { status, stdout } = await mcompress(['eval', broken, ...DATA, '--reference', MNIST, '--max-drop', '1']);
  expect(status).toBe(1);
  expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(
    /significantly worse .* --max-drop: top-1 lost: \d+\.\d points of 1\.0 points allowed\./,
  );
});

it.each([
  [[MNIST], 'no-input', 2],
  [[MNIST, ...DATA, '--max-drop', '1'], 'conflict', 2],
  [[MNIST, ...DATA, '--task', 'detect'], 'bad-value', 2],
  [[MNIST, ...DATA, '--output', 'logit'], 'bad-value', 2],
  [[MNIST, ...DATA, '--label-offset', 'one'], 'bad-value', 2],
  [[MNIST, ...DATA, '--label-offset', '3'], 'bad-data', 3],
  [[MNIST, '--data', 'nowhere'], 'not-found', 3],
  [['-', ...DATA, '--reference', '-'], 'conflict', 2],
])('eval %j is %s', async (args, code, expected) => {
  const { status, stderr } = await mcompress(['eval', ...args]);
  expect(stderr).toMatch(new RegExp(`^error\\[${code}\\]: `));
  expect(status).toBe(expected);
});
