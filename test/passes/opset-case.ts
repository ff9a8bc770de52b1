// How a small model of one operator is written down for the conversion between opsets.

export interface OpsetCase {
  readonly name: string;
  /** Opsets that the text is valid in. */
  readonly from: readonly number[];
  /** Newest opset that ONNX Runtime has a kernel for, where that is not the newest it reads. */
  readonly newest?: number;
  /** A model without header. */
  readonly text: string;
}

interface Rest {
  readonly outputs?: string;
  readonly weights?: string;
  readonly newest?: number;
}

/** A model of one node: `inputs` with types, `node` computes `y` (of no declared shape) from them. */
export function one(name: string, from: readonly number[], inputs: string, node: string, rest: Rest = {}): OpsetCase {
  const { outputs = 'float y', weights = '', newest } = rest;
  return {
    name,
    from,
    text: `g (${inputs}) => (${outputs})${weights && ` <${weights}>`} { ${node} }`,
    ...(newest === undefined ? {} : { newest }),
  };
}

/** An input that suits most operators. */
export const image = 'float[N,4,8,8] x';
