// Whole runs of learned slimming on ONNX Runtime, on digits: budgets, the search, random starts, what goes over what comes out, and what is
// never returned.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { GateError } from '../../../src/base/errors.js';
import { openModel } from '../../../src/onnx/open.js';
import type { DeepenOutcome } from '../../../src/pipeline/deepening/outcome.js';
import { MNIST } from '../pruning/run.js';
import { deepenRequest, finished, writeLrnNet } from './run.js';

const root = mkdtempSync(join(tmpdir(), 'mcompress-deepen-file-'));
afterAll(() => rmSync(root, { recursive: true }));
let folder = root;
beforeEach(() => void (folder = mkdtempSync(join(root, 'run-'))));

type Changes = Parameters<typeof deepenRequest>[2];

const out = (): string => join(folder, 'out.onnx');
const mnist = (changes: Changes = {}) => deepenRequest(MNIST, out(), { limit: 120, ...changes });
const lrnNet = (changes: Changes = {}) => deepenRequest(writeLrnNet(folder), out(), changes);

const taken = ({ blocks }: DeepenOutcome) => blocks.filter(({ reason }) => reason === undefined);

async function operators(path: string): Promise<string[]> {
  const { model } = await openModel(path);
  return model.graph.nodes().map(({ opType }) => opType);
}

describe('a budget', { timeout: 300_000 }, () => {
  it('of multiplications is kept, and what the report says is in the model', async () => {
    const { outcome, bytes } = await finished(mnist({ settings: { macs: '0.6x' } }));
    expect(outcome).toMatchObject({ kept: 'deepened', budget: 'met', gate: undefined, aim: 'macs', dataFree: false });
    expect(outcome.after.figures.cost.macs / outcome.before.figures.cost.macs).toBeLessThanOrEqual(0.605);
    expect(outcome.after.file.bytes).toBe(bytes.length);
    expect(taken(outcome).length).toBeGreaterThan(0);
    expect(outcome.refitted).toBeGreaterThan(0);
    // A model that is good for something is left.
    expect(outcome.loss?.value).toBeLessThan(8);
    for (const { macs, reason } of outcome.blocks)
      expect([reason === 'no-saving', macs.after < macs.before]).toContain(reason === 'no-saving');
    for (const { error, refitError } of taken(outcome)) {
      expect(error).toBeGreaterThan(0);
      expect(refitError).toBeGreaterThan(0);
    }
  });

  it('out of reach is refused with what can be had', async () => {
    await expect(finished(mnist({ settings: { macs: '0.01x' } }))).rejects.toThrow(GateError);
  });

  it('gives the same bytes again, from a journal as well', async () => {
    const asked = { settings: { macs: '0.6x', rules: ['slim-streamline', 'merge-depth'] } } as const;
    const first = await finished(mnist(asked));
    const journal = join(folder, 'journal');
    const second = await finished(mnist({ ...asked, journal }));
    const third = await finished(mnist({ ...asked, journal }));
    expect(second.bytes.equals(first.bytes)).toBe(true);
    expect(third.bytes.equals(first.bytes)).toBe(true);
    expect(third.outcome.warnings.some((text) => text.includes('taken from the journal'))).toBe(true);
  });
});

describe('the time for looking', { timeout: 300_000 }, () => {
  it('over before it began leaves every block, and says why', async () => {
    const { outcome } = await finished(mnist({ settings: { maxDrop: 50, effort: '.001s' }, limit: 60 }));
    expect(outcome.kept).toBe('original');
    expect(outcome.blocks.length).toBeGreaterThan(0);
    expect(new Set(outcome.blocks.map(({ reason }) => reason))).toEqual(new Set(['no-time']));
  });

  it('with more of it, and another limit, goes on from the journal, and comes to what it comes to without', async () => {
    const journal = join(folder, 'run.jsonl');
    const asked = { rules: ['slim-streamline'], maxDrop: 60 } as const;
    const run = (settings: NonNullable<Changes>['settings'], more: Changes = {}) =>
      finished(mnist({ settings: { ...asked, ...settings }, limit: 60, ...more }));
    const none = await run({ effort: '.001s' }, { journal });
    expect(none.outcome.kept).toBe('original');
    const little = await run({ effort: '5m', maxDrop: 0 }, { journal });
    const more = await run({}, { journal });
    expect(little.outcome.warnings.join(' ')).toMatch(/taken from the journal/);
    expect(more.outcome.warnings.join(' ')).toMatch(/taken from the journal/);
    expect(more.outcome.kept).toBe('deepened');
    expect(more.bytes.equals((await run({})).bytes)).toBe(true);
  });
});

describe('weights of new layers', { timeout: 300_000 }, () => {
  it('that are random make a model that is taken for broken, unless that is allowed', async () => {
    const settings = { macs: '0.99x', start: 'xavier', rules: ['slim-streamline'] } as const;
    const broken = await finished(mnist({ settings }));
    expect(broken.outcome).toMatchObject({ kept: 'deepened', gate: 'missed' });
    expect(broken.outcome.warnings.join(' ')).toMatch(/taken for broken/);
    const allowed = await finished(mnist({ settings: { ...settings, maxDrop: 100 } }));
    expect(allowed.outcome.gate).toBe('met');
  });

  it('that are fitted lose less than those that are not', async () => {
    const settings = { macs: '0.99x', maxDrop: 100, rules: ['slim-streamline'] } as const;
    const [fitted, kept] = [
      await finished(mnist({ settings })),
      await finished(mnist({ settings: { ...settings, repair: 'off' } })),
    ];
    expect(kept.outcome.refitted).toBe(0);
    expect(fitted.outcome.loss?.value ?? 100).toBeLessThan(kept.outcome.loss?.value ?? 0);
  });
});

describe('a loss that is allowed', { timeout: 300_000 }, () => {
  it('says how much goes: what is lost stays within it', async () => {
    const { outcome } = await finished(mnist({ settings: { maxDrop: 4 } }));
    expect(outcome.gate).toBe('met');
    expect(outcome.steps.length).toBeGreaterThan(0);
    expect(outcome.loss?.value ?? 0).toBeLessThanOrEqual(4);
  });

  it('changes nothing where no rule finds a block', async () => {
    const { outcome } = await finished(
      lrnNet({ settings: { maxDrop: 5, lrn: 'keep', rules: ['slim-branch'] }, limit: 60 }),
    );
    expect(outcome).toMatchObject({ kept: 'original', gate: 'met', blocks: [], steps: [] });
    expect(await operators(out())).toContain('LRN');
  });
});

describe('normalizations', { timeout: 300_000 }, () => {
  it('that stay are written out behind all else, or kept', async () => {
    const settings = { macs: '0.98x', for: 'macs', maxDrop: 100, rules: ['shuffle-groups'] } as const;
    const { outcome } = await finished(
      lrnNet({ settings: { ...settings, lrn: 'expand', macs: undefined }, limit: 60 }),
    );
    expect(outcome.last).toEqual(['expand-lrn']);
    expect(await operators(out())).not.toContain('LRN');
    const kept = await finished(lrnNet({ settings: { ...settings, lrn: 'keep', macs: undefined }, limit: 60 }));
    expect(kept.outcome.last).toEqual([]);
    expect((await operators(out())).filter((type) => type === 'LRN')).toHaveLength(2);
  });

  it('are taken in where that is measured faster, and the model is not slower', async () => {
    const { outcome } = await finished(
      lrnNet({ measure: 'on', timingMs: 400, settings: { maxDrop: 100, rules: ['slim-streamline'] }, limit: 60 }),
    );
    expect(outcome.measurement?.latency.verdict).not.toBe('slower');
    for (const { ms } of taken(outcome)) expect(ms?.after).toBeLessThan(ms?.before ?? 0);
    expect(outcome.kinds?.before.nonTensor).toBeGreaterThan(0);
  });
});
