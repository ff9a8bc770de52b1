// Tensor to message and back, and the element types that onnxruntime-node can carry across its API.
import { InputError } from '../base/errors.js';
import type { DType } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import type { WireTensor, WireTensors } from './protocol.js';

/** Named tensors: the feeds or the outputs of a run. */
export type TensorMap = ReadonlyMap<string, Tensor>;

// Measured on onnxruntime-node 1.30: an int4 output ends the process, bfloat16 and float8 are refused at load.
const CARRIED: ReadonlySet<DType> = new Set<DType>([
  'float32',
  'float64',
  'float16',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'bool',
  'string',
]);

/** True when graph inputs and outputs of this type can be fed and read. (Inside a graph the runtime knows more types.) */
export function isCarried(dtype: DType): boolean {
  return CARRIED.has(dtype);
}

/** @throws InputError unsupported when a tensor has a type that the runtime's API cannot carry */
export function toWire(tensors: TensorMap): WireTensors {
  const wire: Record<string, WireTensor> = {};
  for (const [name, tensor] of tensors) {
    if (!isCarried(tensor.dtype)) {
      throw new InputError('unsupported', `a ${tensor.dtype} tensor cannot be fed to ONNX Runtime from Node`, {
        at: { tensor: name },
      });
    }
    wire[name] = {
      dtype: tensor.dtype,
      dims: tensor.dims,
      data: tensor.dtype === 'string' ? tensor.strings() : tensor.bytes(),
    };
  }
  return wire;
}

/** Tensors over the bytes of a message. */
export function fromWire(wire: WireTensors): Map<string, Tensor> {
  return new Map(Object.entries(wire).map(([name, { dtype, dims, data }]) => [name, new Tensor(dtype, dims, data)]));
}
