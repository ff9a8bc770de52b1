// Whole choices among all passes on ONNX Runtime, on digits: what may stand, targets, classes, and what is never returned.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { InputError, UsageError } from '../../../src/base/errors.js';
import { printModel } from '../../../src/ir/text/print.js';
import { openModel } from '../../../src/onnx/open.js';
import { combineFile } from '../../../src/pipeline/combining/combine-file.js';
import type { CombineRequest } from '../../../src/pipeline/combining/outcome.js';
import { DEFAULT_COMBINING, type CombineSettings } from '../../../src/pipeline/combining/settings.js';
import { fixture } from '../evaluation/fake-data.js';
import { MNIST, THIN } from '../pruning/run.js';
import { runAndPublish, usualRequest } from '../usual-request.js';

const root = mkdtempSync(join(tmpdir(), 'mcompress-combine-file-'));
afterAll(() => rmSync(root, { recursive: true }));
let folder = root;
beforeEach(() => void (folder = mkdtempSync(join(root, 'run-'))));

type Changes = Partial<Omit<CombineRequest, 'settings'>> & { readonly settings?: Partial<CombineSettings> };

const request = ({ settings = {}, ...changes }: Changes = {}, path = THIN): CombineRequest => ({
  ...usualRequest(path, join(folder, 'out.onnx')),
  measure: 'on',
  compression: 'skip',
  // What is faster than what is not looked at here.
  timingMs: 400,
  limit: 80,
  settings: { ...DEFAULT_COMBINING, effort: '5m', ...settings },
  ...changes,
});

const finished = (changes: Changes = {}, path = THIN) => runAndPublish(combineFile, request(changes, path));

describe('a choice among all passes', { timeout: 600_000 }, () => {
  it('stays within the loss, is never slower, and tells how it came about', async () => {
    const { outcome, bytes } = await finished({ settings: { maxDrop: 6, kinds: ['prune', 'int8'], effort: '45s' } });
    expect(outcome.loss?.value).toBeLessThanOrEqual(6);
    expect(outcome).toMatchObject({ gate: 'met', samples: { fitted: 40, selected: 20, reported: 20 } });
    expect(outcome.measurement?.latency.verdict).not.toBe('slower');
    expect(outcome.after.file.bytes).toBe(bytes.length);
    expect(outcome.steps[0]).toMatchObject({ name: 'slim', on: undefined });
    const taken = outcome.steps.filter(({ fate }) => fate === 'taken').map(({ name }) => name);
    expect(taken.at(-1)).toBe(outcome.result);
    expect(outcome.stages.map(({ name }) => name)).toEqual(taken.filter((name) => name !== 'slim'));
    expect(outcome.idle.filter(({ reason }) => reason === 'not-asked').map(({ kind }) => kind)).toEqual([
      'deepen',
      'factorize',
    ]);
    expect((await openModel(join(folder, 'out.onnx'))).model.graph.inputs).toHaveLength(1);
  });

  it('goes on from a journal, with more time than before, and gives the same', async () => {
    const asked = { settings: { maxDrop: 4, kinds: ['int8'] }, journal: join(folder, 'journal'), limit: 40 } as const;
    const first = await combineFile(request(asked));
    const model = readFileSync(first.path);
    await first.dispose();
    const again = await finished({ ...asked, settings: { ...asked.settings, effort: '6m' } });
    expect(again.bytes.equals(model)).toBe(true);
    expect(again.outcome.warnings.some((text) => text.includes('taken from the journal'))).toBe(true);
  });

  it('with a target, and nothing that meets it, gives the nearest and misses the gate', async () => {
    const { outcome } = await finished({ settings: { params: '0.001x', kinds: ['prune'], effort: '1s' } });
    expect(outcome).toMatchObject({ budget: 'missed', result: 'slim', kept: 'original' });
  });

  it('with a target of parameters, takes the least loss that meets it', async () => {
    const { outcome } = await finished({ settings: { params: '0.9x', kinds: ['prune'] } }, MNIST);
    expect(outcome.budget).toBe('met');
    expect(outcome.after.figures.cost.parameters).toBeLessThanOrEqual(0.905 * outcome.before.figures.cost.parameters);
    const { value = 0 } = outcome.steps.find(({ name }) => name === outcome.result)?.loss ?? {};
    const losses = outcome.steps.filter(({ parameters }) => parameters <= 0.9 * outcome.before.figures.cost.parameters);
    expect(value).toBe(Math.min(...losses.map(({ loss }) => loss.value)));
  });

  it('for some classes cuts the head first', async () => {
    const { outcome } = await finished({
      settings: { classes: ['1', '7'], maxDrop: 6, kinds: ['int8'], effort: '1s' },
    });
    expect(outcome.subset).toMatchObject({ kept: [1, 7], of: 10, by: 'labels' });
    const { model } = await openModel(join(folder, 'out.onnx'));
    expect(printModel(model, { weights: 'brief' })).toMatch(/=> \(float\[[^\]]*\b2\]/);
    expect(outcome.loss?.value).toBeLessThanOrEqual(6);
  });
});

describe('a choice among all passes refuses', () => {
  const failing = (changes: Changes, path?: string): Promise<unknown> => combineFile(request(changes, path));

  it('a run without samples, which nothing could be chosen by', async () => {
    await expect(failing({ openData: undefined })).rejects.toThrow(UsageError);
  });

  it('a run without timing', async () => {
    await expect(failing({ measure: 'off' })).rejects.toThrow(UsageError);
  });

  it('a model that is on integers already', async () => {
    await expect(failing({}, fixture('mnist-cntk-qdq.onnx'))).rejects.toThrow(InputError);
  });
});
