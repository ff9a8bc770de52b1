// Element types of ONNX tensors: code in TensorProto.DataType, width, and kind.
// Source: onnx/onnx.proto, message TensorProto, enum DataType (ONNX 1.23, IR 14).

export type DTypeKind = 'float' | 'int' | 'uint' | 'bool' | 'string' | 'complex';

export interface DTypeInfo {
  /** Number in TensorProto.DataType. */
  readonly code: number;
  /** Width of one element in `raw_data`; 0 for strings. Elements under 8 bits are packed, lowest bits first. */
  readonly bits: number;
  readonly kind: DTypeKind;
}

const TYPES = {
  float32: { code: 1, bits: 32, kind: 'float' },
  uint8: { code: 2, bits: 8, kind: 'uint' },
  int8: { code: 3, bits: 8, kind: 'int' },
  uint16: { code: 4, bits: 16, kind: 'uint' },
  int16: { code: 5, bits: 16, kind: 'int' },
  int32: { code: 6, bits: 32, kind: 'int' },
  int64: { code: 7, bits: 64, kind: 'int' },
  string: { code: 8, bits: 0, kind: 'string' },
  bool: { code: 9, bits: 8, kind: 'bool' },
  float16: { code: 10, bits: 16, kind: 'float' },
  float64: { code: 11, bits: 64, kind: 'float' },
  uint32: { code: 12, bits: 32, kind: 'uint' },
  uint64: { code: 13, bits: 64, kind: 'uint' },
  complex64: { code: 14, bits: 64, kind: 'complex' },
  complex128: { code: 15, bits: 128, kind: 'complex' },
  bfloat16: { code: 16, bits: 16, kind: 'float' },
  float8e4m3fn: { code: 17, bits: 8, kind: 'float' },
  float8e4m3fnuz: { code: 18, bits: 8, kind: 'float' },
  float8e5m2: { code: 19, bits: 8, kind: 'float' },
  float8e5m2fnuz: { code: 20, bits: 8, kind: 'float' },
  uint4: { code: 21, bits: 4, kind: 'uint' },
  int4: { code: 22, bits: 4, kind: 'int' },
  float4e2m1: { code: 23, bits: 4, kind: 'float' },
  float8e8m0: { code: 24, bits: 8, kind: 'float' },
  uint2: { code: 25, bits: 2, kind: 'uint' },
  int2: { code: 26, bits: 2, kind: 'int' },
  float6e2m3: { code: 27, bits: 6, kind: 'float' },
  float6e3m2: { code: 28, bits: 6, kind: 'float' },
} as const satisfies Record<string, DTypeInfo>;

export type DType = keyof typeof TYPES;

export const DTYPES: Readonly<Record<DType, DTypeInfo>> = TYPES;

const byCode = new Map<number, DType>((Object.keys(TYPES) as DType[]).map((name) => [TYPES[name].code, name]));

/** The type with this TensorProto.DataType code, or undefined when the code is unknown (or 0, UNDEFINED). */
export function dtypeFromCode(code: number): DType | undefined {
  return byCode.get(code);
}

/** Bytes that `count` elements take in `raw_data`. Not defined for strings (0). */
export function storageBytes(dtype: DType, count: number): number {
  return Math.ceil((DTYPES[dtype].bits * count) / 8);
}

/** True for the types whose numbers `Tensor.toFloat64` can read. */
export function isNumeric(dtype: DType): boolean {
  const { kind } = DTYPES[dtype];
  return kind !== 'string' && kind !== 'complex';
}

/** Floating point of any width (not complex). */
export function isFloat(dtype: DType): boolean {
  return DTYPES[dtype].kind === 'float';
}

/** Signed or unsigned integer of any width (not bool). */
export function isInteger(dtype: DType): boolean {
  const { kind } = DTYPES[dtype];
  return kind === 'int' || kind === 'uint';
}
