// `mcompress prune` and `slim -p prune-filters` as a user starts them, on the digits of the fixtures.
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../src/onnx/open.js';
import { parseReport } from '../../src/report/json.js';
import { fixture, mcompress, mcompressJson, widest } from './run-program.js';
import { useScratch } from './scratch.js';

const scratch = useScratch();
const MNIST = fixture('mnist-bn-as-exported.onnx');
const DATA = ['--data', fixture('mnist-300'), '--preprocess', 'raw'];
/** Nothing that takes time: what leaves, and how well the rest does, is tested elsewhere. */
const QUICK = ['--no-profile', '--no-repair', '--score', 'l2', '--widths', 'any'];

describe('prune', () => {
  it('writes a smaller model and says what left in every form', async () => {
    scratch.copy('mnist-bn-as-exported.onnx', 'digits.onnx');
    const { status, stdout } = await mcompress(['prune', 'digits.onnx', ...DATA, ...QUICK, '--ratio', '0.1'], {
      cwd: scratch.folder,
    });
    expect(status).toBe(0);
    expect(scratch.files()).toEqual([
      'digits.onnx',
      'digits.pruned.onnx',
      ...['html', 'json', 'md'].map((form) => `digits.pruned.report.${form}`),
    ]);
    expect(widest(stdout)).toBeLessThanOrEqual(80);
    const report = parseReport(scratch.read('digits.pruned.report.json').toString(), 'prune', 'r');
    expect(report).toMatchObject({
      kept: 'pruned',
      gates: { budget: { asked: '--ratio 0.1', verdict: 'met' } },
      method: { score: 'l2', repair: 'off', schedule: 'one-shot' },
      samples: { fitted: 150, selected: 38, reported: 112, dataFree: 'no', dataName: 'mnist-300' },
      speed: 'not-measured',
    });
    expect(report.figures.parameters.after).toBeLessThan(report.figures.parameters.before);
    const { model } = await openModel(scratch.path('digits.pruned.onnx'), {});
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['logits']);
  });

  it('exits 1 where the loss is not held, and leaves OUT alone', async () => {
    const { status, stderr } = await mcompress(
      [
        'prune',
        MNIST,
        ...DATA,
        ...QUICK,
        '--ratio',
        '0.7',
        '--max-drop',
        '0.5',
        '-o',
        scratch.path('o.onnx'),
        '--no-report',
      ],
      {},
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/--max-drop: top-1 lost/);
    expect(scratch.files()).toEqual(['o.onnx.best.onnx']);
  });

  it('exits 1 where no widths meet the budget, 2 on a wrong command line, 3 on wrong data', async () => {
    const run = (...args: readonly string[]) => mcompress(['prune', MNIST, ...args, '-n'], {});
    expect(await run(...DATA, ...QUICK, '--macs', '0.0001x')).toMatchObject({ status: 1, stdout: '' });
    expect(await run('--ratio', '0.2')).toMatchObject({ status: 2 });
    expect(await run('--data', scratch.path('nowhere'), '--ratio', '0.2')).toMatchObject({ status: 3 });
  });

  it('cuts the head to some classes', async () => {
    const report = await mcompressJson(
      [
        'prune',
        MNIST,
        ...DATA,
        ...QUICK,
        '--classes',
        '1,7',
        '--ratio',
        '0.1',
        '-o',
        scratch.path('two.onnx'),
        '--json',
      ],
      {},
    );
    expect(report).toMatchObject({ kind: 'prune', subset: { of: 10, kept: [1, 7], by: 'labels' } });
  });

  it('is what slim does with prune-filters: the same bytes, and so with the recipe that the report prints', async () => {
    const out = (name: string): string[] => [
      '-o',
      scratch.path(name),
      '--no-profile',
      '--report',
      scratch.path(`${name}.json`),
    ];
    const first = await mcompress(['prune', MNIST, ...DATA, ...QUICK, '--ratio', '0.1', ...out('a.onnx')], {});
    expect(first.status).toBe(0);
    const { recipe } = parseReport(scratch.read('a.onnx.json').toString(), 'prune', 'r');
    writeFileSync(scratch.path('r.json'), JSON.stringify(recipe.document));
    const again = await mcompress(['slim', MNIST, '--recipe', scratch.path('r.json'), ...DATA, ...out('b.onnx')], {});
    expect(again.status).toBe(0);
    expect(scratch.read('b.onnx').equals(scratch.read('a.onnx'))).toBe(true);
    const passes = ['-p', 'fold-batch-norm', '-p', 'prune-filters:ratio=0.1,score=l2,repair=off,widths=any'];
    expect((await mcompress(['slim', MNIST, ...passes, ...DATA, ...out('c.onnx')], {})).status).toBe(0);
    const refused = await mcompress(['slim', MNIST, ...passes, '-p', 'quantize', ...DATA, ...out('d.onnx')], {});
    expect(refused).toMatchObject({ status: 2 });
    expect(refused.stderr).toMatch(/runs of their own/);
  });
});
