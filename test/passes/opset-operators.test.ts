// Every version step of every operator, on ONNX Runtime: a small model before and after the conversion, on random feeds.
import { afterAll, describe, expect, it } from 'vitest';
import { checkModel } from '../../src/ir/check.js';
import { parseModel } from '../../src/ir/text/parse.js';
import { RuntimeHost } from '../../src/runtime/host.js';
import { NEWEST_OPSET } from '../../src/passes/opset/steps.js';
import { toOpset } from './convert.js';
import type { OpsetCase } from './opset-case.js';
import { OPSET_CASES } from './opset-cases.js';
import { difference, feedsFor, runModel } from './run-model.js';

const TARGETS = [10, 13, 15, 18, 21, NEWEST_OPSET];
const host = new RuntimeHost({ keptSessions: 0 });

afterAll(() => host.dispose());

/** Everything wrong with the conversion of one case from one opset to all targets. */
async function defects({ text, newest = NEWEST_OPSET }: OpsetCase, from: number): Promise<string[]> {
  const source = `<ir_version: ${from < 9 ? 3 : 8}, opset_import: ["" : ${from}]>\n${text}`;
  const feeds = [0, 1].map((seed) => feedsFor(parseModel(source), seed));
  const expected = await Promise.all(feeds.map((feed) => runModel(host, parseModel(source), feed)));
  const found: string[] = [];
  for (const target of TARGETS.filter((version) => version > from && version <= newest)) {
    const model = parseModel(source);
    await toOpset(model, target);
    found.push(...checkModel(model).map(({ message }) => `${target}: ${message}`));
    if (model.opset !== target) found.push(`${target}: the model says ${model.opset}`);
    for (const [i, feed] of feeds.entries()) {
      const problem = difference(expected[i] ?? new Map(), await runModel(host, model, feed), 1e-6);
      if (problem !== undefined) found.push(`${target}: ${problem}`);
    }
  }
  return found;
}

describe.each(OPSET_CASES.flatMap((entry) => entry.from.map((from) => ({ name: entry.name, from, entry }))))(
  '$name, opset $from',
  ({ from, entry }) => {
    it('gives the same results in newer opsets', async () => {
      expect(await defects(entry, from)).toEqual([]);
    });
  },
);
