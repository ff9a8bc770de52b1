// Nodes that make no sense: records answer, and never throw.
import { describe, expect, it } from 'vitest';
import { findChannelGroups } from '../../src/analysis/channels.js';
import { nodeCosts } from '../../src/analysis/cost.js';
import { createFacts } from '../../src/analysis/inference.js';
import { createRng, type Rng } from '../../src/base/rng.js';
import type { Attribute } from '../../src/ir/attribute.js';
import { Model } from '../../src/ir/model.js';
import type { Node } from '../../src/ir/node.js';
import type { DeclaredDim } from '../../src/ir/value.js';
import { OP_RECORDS } from '../../src/ops/registry.js';
import type { OpRecord } from '../../src/ops/record.js';
import { Tensor } from '../../src/tensor/tensor.js';

const NAMES = [
  'axis',
  'axes',
  'pads',
  'strides',
  'kernel_shape',
  'dilations',
  'group',
  'to',
  'perm',
  'starts',
  'ends',
  'split',
  'scales',
  'blocksize',
  'output_shape',
  'output_padding',
  'ceil_mode',
  'auto_pad',
  'equation',
  'hidden_size',
  'k',
  'shape',
  'value',
  'keepdims',
  'num_outputs',
  'transA',
  'start',
  'end',
  'fmod',
  'num_scan_inputs',
  'batch_dims',
  'dtype',
  'output_height',
  'pooled_shape',
  'keep_aspect_ratio_policy',
  'direction',
  'layout',
  'alpha',
] as const;

function randomAttribute(rng: Rng): Attribute {
  const numbers = Array.from({ length: rng.int(0, 5) }, () => rng.int(-3, 5));
  return rng.pick<Attribute>([
    { kind: 'int', value: rng.int(-5, 30) },
    { kind: 'float', value: rng.normal() },
    { kind: 'ints', value: numbers },
    { kind: 'floats', value: numbers },
    {
      kind: 'string',
      value: rng.pick(['', 'SAME_UPPER', 'VALID', 'ij,jk->ik', '...i,->q', 'not_larger', 'bidirectional', 'nonsense']),
    },
    {
      kind: 'tensor',
      value: Tensor.fromNumbers(rng.pick(['int64', 'float32', 'bool'] as const), [numbers.length], numbers),
    },
    { kind: 'opaque', type: 12 },
    { kind: 'reference', name: 'other', type: 2 },
  ]);
}

function randomNode(rng: Rng, record: OpRecord): { readonly model: Model; readonly node: Node } {
  const model = new Model({
    graphName: 'odd',
    opsets: new Map([
      ['', rng.int(1, 28)],
      ['com.microsoft', 1],
    ]),
    irVersion: 8,
  });
  const inputs = Array.from({ length: rng.int(0, 6) }, (_, i) => {
    if (rng.int(0, 5) === 0) return undefined;
    const dtype = rng.pick(['float32', 'int64', 'bool', 'uint8'] as const);
    if (rng.int(0, 2) === 0) {
      const dims = Array.from({ length: rng.int(0, 2) }, () => rng.int(0, 4));
      const count = dims.reduce((product, dim) => product * dim, 1);
      return model.graph.addInitializer(
        Tensor.fromNumbers(
          dtype,
          dims,
          Array.from({ length: count }, () => rng.int(-4, 6)),
        ),
        `c${i}`,
      );
    }
    const shape =
      rng.int(0, 4) === 0
        ? undefined
        : Array.from({ length: rng.int(0, 5) }, (): DeclaredDim => rng.pick([0, 1, 3, 7, 'n', 'm', undefined, -1]));
    return model.graph.addInput(
      `x${i}`,
      rng.int(0, 6) === 0 ? { kind: 'other' } : { kind: 'tensor', dtype: rng.pick([dtype, undefined]), shape },
    );
  });
  const attributes = Object.fromEntries(
    Array.from({ length: rng.int(0, 8) }, () => [rng.pick(NAMES), randomAttribute(rng)]),
  );
  const outputs = Array.from({ length: rng.int(1, 4) }, (_, i) => (rng.int(0, 4) === 0 ? undefined : `y${i}`));
  return {
    model,
    node: model.graph.addNode({ opType: record.opType, domain: record.domain, inputs, outputs, attributes }),
  };
}

describe.each([...OP_RECORDS])('%s', (key, record) => {
  it('answers with sizes that are whole numbers from 0 on, or formulas', () => {
    const rng = createRng(`malformed ${key}`);
    const wrong: string[] = [];
    for (let round = 0; round < 200; round++) {
      const { model, node } = randomNode(rng, record);
      const facts = createFacts(model);
      const infos = node.outputs.map((value) => value && facts.of(value));
      record.traits.nonDecreasing?.(facts.site(node));
      record.traits.positivelyHomogeneous?.(facts.site(node));
      const maps = record.axes?.(facts.site(node))?.ties.flatMap(({ map }) => map ?? []) ?? [];
      const indices = maps.flatMap((map) => [0, 1, 5].map(map));
      const groups = findChannelGroups(model, facts);
      const costs = nodeCosts(model, facts);
      const isFine = infos.every(
        (info) =>
          info?.shape?.every((dim) => typeof dim !== 'number' || (Number.isSafeInteger(dim) && dim >= 0)) ?? true,
      );
      if (!isFine || costs.some(({ macs, activationBytes }) => !(macs >= 0) || !(activationBytes >= 0)))
        wrong.push(JSON.stringify([round, infos]));
      if (indices.some((index) => index !== undefined && !Number.isInteger(index))) wrong.push(`${round}: ${indices}`);
      // All inputs are fed, and what is computed from constants is learned: nothing may leave.
      if (groups.some(({ frozen }) => frozen === undefined)) wrong.push(`${round}: ${groups.map(({ name }) => name)}`);
    }
    expect(wrong).toEqual([]);
  });
});
