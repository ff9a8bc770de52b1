// All operator records, by domain and operator type. One line per family.
import { CONTROL_FLOW } from './control.js';
import { CONVOLUTIONS } from './conv.js';
import { ELEMENTWISE_BINARY } from './elementwise-binary.js';
import { ELEMENTWISE_UNARY } from './elementwise-unary.js';
import { GATHERS } from './gather.js';
import { GENERATORS } from './generate.js';
import { MATRIX_PRODUCTS } from './matrix.js';
import { NORMALIZATIONS } from './normalization.js';
import { POOLS } from './pool.js';
import { QUANTIZED } from './quantize.js';
import type { OpRecord } from './record.js';
import { RECURRENT } from './recurrent.js';
import { REDUCTIONS } from './reduce.js';
import { RESIZES } from './resize.js';
import { SHAPES } from './shape.js';
import { SIGNALS } from './signal.js';
import { SLICES } from './slice.js';
import { SOFTMAX } from './softmax.js';

/** A family: operators that share a file, a documentation section and most of their formulas. */
export interface OpFamily {
  readonly title: string;
  readonly records: readonly OpRecord[];
}

export const OP_FAMILIES: readonly OpFamily[] = [
  { title: 'Convolution', records: CONVOLUTIONS },
  { title: 'Matrix products', records: MATRIX_PRODUCTS },
  { title: 'Recurrent layers', records: RECURRENT },
  { title: 'Pooling', records: POOLS },
  { title: 'Normalization', records: NORMALIZATIONS },
  { title: 'Functions of one tensor', records: ELEMENTWISE_UNARY },
  { title: 'Functions of several tensors', records: ELEMENTWISE_BINARY },
  { title: 'Softmax', records: SOFTMAX },
  { title: 'Reduction', records: REDUCTIONS },
  { title: 'Shape', records: SHAPES },
  { title: 'Slicing and joining', records: SLICES },
  { title: 'Indexing and selection', records: GATHERS },
  { title: 'Resizing', records: RESIZES },
  { title: 'Constants, ranges, random numbers', records: GENERATORS },
  { title: 'Quantization', records: QUANTIZED },
  { title: 'Signal processing', records: SIGNALS },
  { title: 'Control flow', records: CONTROL_FLOW },
];

/** Key of an operator: its type, with the domain in front where that is not ai.onnx. */
export function opKey(opType: string, domain: string): string {
  return domain === '' ? opType : `${domain}.${opType}`;
}

export const OP_RECORDS: ReadonlyMap<string, OpRecord> = new Map(
  OP_FAMILIES.flatMap(({ records }) => records.map((record) => [opKey(record.opType, record.domain), record] as const)),
);
