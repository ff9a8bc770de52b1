// Heavy products through ONNX Runtime, several times as fast as in JavaScript: one MatMul in float64 for every size.
import { InternalError } from '../base/errors.js';
import type { Gemm } from '../linalg/gemm.js';
import { matrix, type Matrix } from '../linalg/matrix.js';
import { Tensor } from '../tensor/tensor.js';
import type { CallOptions, RuntimeHost } from './host.js';
import { productModel } from './product-models.js';

/** Products by the child of `host`. They reject as `RuntimeHost.run` does. */
export function runtimeGemm(host: RuntimeHost, options: CallOptions = {}): Gemm {
  const model = productModel();
  return async (a, b) => {
    const feeds = new Map([
      ['a', tensorOf(a)],
      ['b', tensorOf(b)],
    ]);
    const result = (await host.run(model, feeds, options)).get('c');
    if (!result) throw new InternalError('unexpected', 'a product has no result');
    return matrix(a.rows, b.columns, result.toFloat64());
  };
}

function tensorOf({ rows, columns, data }: Matrix): Tensor {
  return new Tensor('float64', [rows, columns], new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}
