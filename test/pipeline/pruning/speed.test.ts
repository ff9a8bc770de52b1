// Never slower: a pruned model whose timing says that it is slower is not returned, unless fewer multiplications were asked
// for. Timings are taken once and then changed in the journal, which the next run goes by.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { PruneOutcome } from '../../../src/pipeline/pruning/outcome.js';
import type { PruneSettings } from '../../../src/pipeline/pruning/settings.js';
import type { SpeedFinding } from '../../../src/pipeline/quantization/speed.js';
import { netData, writeNet } from '../quantization/net.js';
import { finished, pruneRequest } from './run.js';

const folder = mkdtempSync(join(tmpdir(), 'mcompress-prune-speed-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Line {
  readonly step?: string;
  readonly value?: SpeedFinding;
}

/** The outcome of a run in which the pruned model is found to be slower, both times. */
async function slowerRun(settings: Partial<PruneSettings>, name: string): Promise<PruneOutcome> {
  const journal = join(folder, `${name}.jsonl`);
  const request = pruneRequest(writeNet(folder), join(folder, `${name}.onnx`), {
    openData: () => Promise.resolve(netData(24)),
    journal,
    measure: 'on',
    timingMs: 400,
    settings: { samples: 8, repair: 'off', score: 'l2', ...settings },
  });
  await finished(request);
  const slow = readFileSync(journal, 'utf8')
    .trim()
    .split('\n')
    .flatMap((text) => {
      const line = JSON.parse(text) as Line;
      if (line.step?.startsWith('second time of')) return [];
      if (!line.step?.startsWith('time of') || line.step.includes('slimmed') || !line.value) return [text];
      const { original } = line.value;
      const value = { ...line.value, original: { ...original, latency: { ...original.latency, verdict: 'slower' } } };
      return [
        { ...line, value },
        { ...line, value, step: `second ${line.step}` },
      ].map((one) => JSON.stringify(one));
    });
  writeFileSync(journal, `${slow.join('\n')}\n`);
  return (await finished(request)).outcome;
}

it('a share: the slimmed model is kept, and groups say why', { timeout: 300_000 }, async () => {
  const outcome = await slowerRun({ ratio: 0.25 }, 'ratio');
  expect(outcome).toMatchObject({ kept: 'original', budget: 'missed' });
  expect(outcome.groups.map(({ reason }) => reason)).toContain('slower');
  expect(outcome.units.after).toBe(outcome.units.before);
});

it('multiplications: it is returned, and its timing says slower', { timeout: 300_000 }, async () => {
  const outcome = await slowerRun({ macs: '0.7x' }, 'macs');
  expect(outcome).toMatchObject({ kept: 'pruned', budget: 'met' });
  expect(outcome.measurement?.latency.verdict).toBe('slower');
});
