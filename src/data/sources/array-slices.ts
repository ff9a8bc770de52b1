// Samples along the first axis of an array, whether it lies in memory or in a file.
import type { DType } from '../../tensor/dtype.js';
import { storageBytes } from '../../tensor/dtype.js';
import { elementCount, Tensor } from '../../tensor/tensor.js';
import { describeArray, sampleAxis } from '../array-input.js';
import type { ByteFile } from '../byte-file.js';
import type { InputPort } from '../data-set.js';
import { badData } from '../source.js';

/** An array as a list of samples. */
export interface ArraySlices {
  readonly count: number;
  /** Dims of one sample. */
  readonly dims: readonly number[];
  readonly dtype: DType;
  read(index: number): Promise<Tensor>;
}

interface ArrayForm {
  readonly dtype: DType;
  readonly dims: readonly number[];
}

/** Count and dims of the samples. @throws InputError bad-data when the array fits the input in no way */
function slicing(
  { dims, dtype }: ArrayForm,
  port: InputPort,
  file: string,
): { count: number; dims: readonly number[] } {
  const axis = dtype === 'string' ? undefined : sampleAxis(dims, port);
  if (axis === undefined)
    throw badData(file, `the array, ${describeArray(dims, dtype)}, does not fit the input "${port.name}"`, {
      fix: `store samples of ${describeArray(port.dims, port.dtype)}, the samples along the first axis`,
    });
  return axis === 'many' ? { count: dims[0] ?? 0, dims: dims.slice(1) } : { count: 1, dims };
}

/** Samples of a tensor in memory. @throws InputError bad-data */
export function tensorSlices(tensor: Tensor, port: InputPort, file: string): ArraySlices {
  const { count, dims } = slicing(tensor, port, file);
  const bytes = tensor.bytes();
  const width = storageBytes(tensor.dtype, elementCount(dims));
  return {
    count,
    dims,
    dtype: tensor.dtype,
    read: (index) =>
      Promise.resolve(new Tensor(tensor.dtype, dims, bytes.subarray(index * width, (index + 1) * width))),
  };
}

/** Samples of an array of which a file holds the elements from `start` on. @throws InputError bad-data */
export function fileSlices(
  file: ByteFile,
  { start, ...form }: ArrayForm & { readonly start: number },
  port: InputPort,
): ArraySlices {
  const { count, dims } = slicing(form, port, file.path);
  const width = storageBytes(form.dtype, elementCount(dims));
  if (file.size < start + count * width)
    throw badData(file.path, `the file is cut off: ${start + count * width} bytes expected, ${file.size} there`);
  return {
    count,
    dims,
    dtype: form.dtype,
    read: async (index) => new Tensor(form.dtype, dims, await file.read(start + index * width, width)),
  };
}
