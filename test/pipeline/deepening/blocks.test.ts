// Proposals by name: found, carried out one after the other, and what becomes of channels that change places twice.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseModel } from '../../../src/ir/text/parse.js';
import type { BlockRule } from '../../../src/passes/learned/block-rule.js';
import { applyProposals, findProposals, rulesNamed } from '../../../src/pipeline/deepening/blocks.js';
import { RULE_NAMES } from '../../../src/pipeline/deepening/settings.js';
import type { QuantizationBench } from '../../../src/pipeline/quantization/bench.js';
import { Workspace } from '../../../src/pipeline/workspace.js';
import { RuntimeHost } from '../../../src/runtime/host.js';

const host = new RuntimeHost();
let workspace: Workspace;
beforeAll(async () => void (workspace = await Workspace.create(undefined)));
afterAll(async () => {
  await host.dispose();
  await workspace.dispose();
});

/** The bench of a net of two convolutions with a normalization behind each; nobody looks at samples here. */
function benchOf(): QuantizationBench {
  const model = parseModel(`<ir_version: 8, opset_import: ["" : 13]>
g (float[1,3,8,8] x) => (float[1,4,8,8] y)
<float[4,3,1,1] w = random(1), float[4,4,1,1] v = random(2)>
{
  c = Conv (x, w)
  n = LRN <size = 3> (c)
  d = Conv (n, v)
  y = LRN <size = 3> (d)
}`);
  return {
    decoded: { document: undefined, model } as unknown as QuantizationBench['decoded'],
    ...{ host, workspace, samples: 0, shapes: new Map(), signal: new AbortController().signal },
    async *feeds() {
      // None.
    },
  };
}

/** Says of a value that its channels went round by one place. */
const turning = (form: string): BlockRule => ({
  ...{ name: 'turn', summary: 'turns', forms: { [form]: 'turns' }, declines: {} },
  find: (graph) => ({
    proposals: graph
      .nodes()
      .filter(({ opType }) => opType === 'Conv')
      .map((block) => ({
        ...{ form, block, nodes: [block] },
        apply: () => ({ layers: [block], kept: new Map([['n', [1, 2, 3, 0]]]) }),
      })),
    declined: [],
  }),
});

describe('proposals', () => {
  it('bear names that tell rule, form and block', () => {
    const { proposals } = findProposals(benchOf(), rulesNamed(['slim-streamline']));
    expect(proposals.map(({ name }) => name)).toEqual([
      'slim-streamline normless Conv -> c',
      'slim-streamline normless Conv -> d',
    ]);
    expect(rulesNamed([]).map(({ name }) => name)).toEqual(RULE_NAMES);
  });

  it('are carried out one after the other', () => {
    const bench = benchOf();
    const names = ['slim-streamline normless Conv -> d', 'slim-streamline normless Conv -> c'];
    const { layers, kept, missed } = applyProposals(bench, rulesNamed(['slim-streamline']), names);
    expect(missed).toEqual([]);
    expect(bench.decoded.model.graph.nodes().map(({ opType }) => opType)).toEqual(['Conv', 'Conv']);
    expect(layers.map(({ opType }) => opType)).toEqual(['Conv', 'Conv']);
    expect(kept.size).toBe(0);
    // What is not there any more is said.
    expect(applyProposals(bench, rulesNamed(['slim-streamline']), names)).toMatchObject({ layers: [], missed: names });
  });

  it('say of channels that change places twice where they come from', () => {
    const { kept } = applyProposals(benchOf(), [turning('round')], ['turn round Conv -> c', 'turn round Conv -> d']);
    expect(kept.get('n')?.get(1)).toEqual([2, 3, 0, 1]);
  });
});
