// Proposals that come to nothing: one that the runtime does not run, one that saves nothing; the model is as before, and the next are looked at.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { intsAttr } from '../../../src/ir/attribute.js';
import type { BlockRule } from '../../../src/passes/learned/block-rule.js';
import { replaceNode } from '../../../src/passes/edit.js';
import { SLIM_STREAMLINE } from '../../../src/passes/learned/slim-streamline.js';
import type { DeepenRequest } from '../../../src/pipeline/deepening/outcome.js';
import { studyBlocks } from '../../../src/pipeline/deepening/study.js';
import { withTradeRun } from '../../../src/pipeline/trading/open-run.js';
import { deepenRequest, writeLrnNet } from './run.js';

const folder = mkdtempSync(join(tmpdir(), 'mcompress-study-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Gives the first convolution a stride: what comes out no longer fits the layer that reads all of it, which only running shows. */
const UNRUNNABLE: BlockRule = {
  ...{ name: 'break', summary: 'breaks', forms: { stride: 'breaks' }, declines: {} },
  find: (graph) => ({
    proposals: graph
      .nodes()
      .filter(({ opType }) => opType === 'Conv')
      .slice(0, 1)
      .map((block) => ({
        ...{ form: 'stride', block, nodes: [block] },
        apply: () => {
          const { opType, inputs, attributes } = block;
          const strides = intsAttr([2, 2]);
          replaceNode(block, { opType, inputs, attributes: { ...Object.fromEntries(attributes), strides } });
          return { layers: [], kept: new Map() };
        },
      })),
    declined: [],
  }),
};

it('are said, and do no harm', { timeout: 120_000 }, async () => {
  const settings = { maxDrop: 5, lrn: 'keep' } as const;
  const asked = deepenRequest(writeLrnNet(folder), join(folder, 'out.onnx'), { settings, limit: 40 });
  const kind = { repair: 'on', settings: {}, dataFree: (one: DeepenRequest) => one } as const;
  const rules = [UNRUNNABLE, SLIM_STREAMLINE];
  const { proposals } = await withTradeRun(asked, kind, (run) => studyBlocks(run, rules));
  const few = await withTradeRun(asked, kind, (run) => studyBlocks({ ...run, aim: 'params' }, rules));
  expect(proposals[0]).toMatchObject({ rule: 'break', reason: 'fails' });
  expect(proposals[0]?.priced).toBe(undefined);
  // Pools in the stride save multiplications: they are fitted and judged, on the model as it was.
  const priced = proposals.filter((one) => one.priced);
  expect(priced.map(({ form }) => form)).toEqual(['strided', 'enlarged', 'strided', 'enlarged']);
  for (const { error, loss } of priced) {
    expect(error).toBeGreaterThan(0);
    expect(loss).toBeGreaterThan(0);
  }
  expect(
    few.proposals.every(({ reason, error, loss }) => reason !== undefined && error === undefined && loss === undefined),
  ).toBe(true);
});
