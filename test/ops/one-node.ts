// A model of one node, from a line of operator-cases.json.
import type { Attribute } from '../../src/ir/attribute.js';
import { Model } from '../../src/ir/model.js';
import type { Node } from '../../src/ir/node.js';
import type { DType } from '../../src/tensor/dtype.js';
import { Tensor } from '../../src/tensor/tensor.js';

type Numbers = readonly number[];

/** Element type, dims, and elements for a constant. */
export type InputSpec = readonly [DType, Numbers, Numbers?] | null;

export interface OperatorCase {
  readonly op: string;
  readonly domain?: string;
  /** All opsets in which the answer is this. */
  readonly opsets: Numbers;
  readonly in: readonly InputSpec[];
  readonly attr?: Readonly<Record<string, readonly [string, ...unknown[]]>>;
  /** Element type, dims, and elements where all inputs are constants. */
  readonly out: readonly (readonly [DType, Numbers, Numbers?])[];
  /** What the runtime shows of the first output as a function of the first input: `m` non-decreasing, `h` homogeneous. */
  readonly is?: string;
}

/** Sizes as they stand, or each dim of each input that is no constant as a symbol of its own. */
export type Sizes = 'numbers' | 'symbols';

export function buildOneNode(
  spec: OperatorCase,
  opset: number,
  sizes: Sizes,
): { readonly model: Model; readonly node: Node; readonly values: ReadonlyMap<string, number> } {
  const opsets = new Map([
    ['', opset],
    ['com.microsoft', 1],
  ]);
  const model = new Model({ graphName: 'one', opsets, irVersion: 8 });
  const values = new Map<string, number>();
  const inputs = spec.in.map((input, index) => {
    if (input === null) return undefined;
    const [dtype, dims, data] = input;
    if (data !== undefined) return model.graph.addInitializer(Tensor.fromNumbers(dtype, dims, data), `c${index}`);
    const shape = dims.map((dim, axis) => {
      values.set(`x${index}.${axis}`, dim);
      return sizes === 'symbols' && dim > 0 ? `x${index}.${axis}` : dim;
    });
    return model.graph.addInput(`x${index}`, { kind: 'tensor', dtype, shape });
  });
  const attributes = Object.fromEntries(
    Object.entries(spec.attr ?? {}).map(([name, value]) => [name, attributeOf(value)]),
  );
  const node = model.graph.addNode({
    opType: spec.op,
    domain: spec.domain ?? '',
    inputs,
    outputs: spec.out.map((_, i) => `y${i}`),
    attributes,
  });
  return { model, node, values };
}

function attributeOf([kind, ...rest]: readonly [string, ...unknown[]]): Attribute {
  if (kind === 'tensor')
    return { kind, value: Tensor.fromNumbers(rest[0] as DType, rest[1] as Numbers, rest[2] as Numbers) };
  return { kind, value: rest[0] } as Attribute;
}
