// Small floating-point formats: bits to number and back, round half to even.
// Sources: IEEE 754-2019 (binary16), "bfloat16" (truncated binary32), OCP 8-bit and microscaling formats as listed in
// the ONNX documentation pages "Float stored in 8 bits" and "4 bit types".

/** A format of 1 sign bit (or none), `exponent` and `mantissa` bits. */
interface FloatFormat {
  readonly exponent: number;
  readonly mantissa: number;
  readonly bias: number;
  /** `ieee`: top exponent is infinity and NaN; `fn`: all ones is NaN; `fnuz`: only -0 is NaN; `finite`: no NaN. */
  readonly specials: 'ieee' | 'fn' | 'fnuz' | 'finite';
}

export const FLOAT_FORMATS = {
  float16: { exponent: 5, mantissa: 10, bias: 15, specials: 'ieee' },
  bfloat16: { exponent: 8, mantissa: 7, bias: 127, specials: 'ieee' },
  float8e4m3fn: { exponent: 4, mantissa: 3, bias: 7, specials: 'fn' },
  float8e4m3fnuz: { exponent: 4, mantissa: 3, bias: 8, specials: 'fnuz' },
  float8e5m2: { exponent: 5, mantissa: 2, bias: 15, specials: 'ieee' },
  float8e5m2fnuz: { exponent: 5, mantissa: 2, bias: 16, specials: 'fnuz' },
  float4e2m1: { exponent: 2, mantissa: 1, bias: 1, specials: 'finite' },
  float6e2m3: { exponent: 2, mantissa: 3, bias: 1, specials: 'finite' },
  float6e3m2: { exponent: 3, mantissa: 2, bias: 3, specials: 'finite' },
} as const satisfies Record<string, FloatFormat>;

export type SmallFloat = keyof typeof FLOAT_FORMATS;

/** The number that `bits` stands for. */
export function decodeFloat(name: SmallFloat, bits: number): number {
  const format: FloatFormat = FLOAT_FORMATS[name];
  const { exponent: eBits, mantissa: mBits, bias, specials } = format;
  const sign = (bits >>> (eBits + mBits)) & 1;
  const e = (bits >>> mBits) & ((1 << eBits) - 1);
  const m = bits & ((1 << mBits) - 1);
  const top = (1 << eBits) - 1;
  if (specials === 'ieee' && e === top) return m === 0 ? (sign ? -Infinity : Infinity) : Number.NaN;
  if (specials === 'fn' && e === top && m === (1 << mBits) - 1) return Number.NaN;
  if (specials === 'fnuz' && sign === 1 && e === 0 && m === 0) return Number.NaN;
  const magnitude = e === 0 ? m * 2 ** (1 - bias - mBits) : (m + (1 << mBits)) * 2 ** (e - bias - mBits);
  return sign ? -magnitude : magnitude;
}

/** The bits nearest to `value` (half to even); overflow gives infinity where the format has one, else the largest. */
export function encodeFloat(name: SmallFloat, value: number): number {
  const format: FloatFormat = FLOAT_FORMATS[name];
  const { exponent: eBits, mantissa: mBits, bias, specials } = format;
  const signBit = 1 << (eBits + mBits);
  const top = (1 << eBits) - 1;
  if (Number.isNaN(value)) {
    // Without a NaN: -0, as ml_dtypes (the reference of ONNX) has it.
    if (specials === 'fnuz' || specials === 'finite') return signBit;
    return specials === 'ieee' ? (top << mBits) | (1 << (mBits - 1)) : (top << mBits) | ((1 << mBits) - 1);
  }
  const sign = value < 0 || Object.is(value, -0) ? signBit : 0;
  const magnitude = Math.abs(value);
  const largest = largestCode(format);
  let code: number;
  if (magnitude === Infinity) {
    code = specials === 'ieee' ? top << mBits : largest;
  } else {
    const e = Math.max(magnitude === 0 ? -Infinity : exponentOf(magnitude), 1 - bias);
    const ulp = 2 ** (e - mBits);
    const steps = roundHalfEven(magnitude / ulp);
    code = (e + bias - 1) * (1 << mBits) + steps;
    if (code > largest) code = specials === 'ieee' ? top << mBits : largest;
  }
  return specials === 'fnuz' && code === 0 ? 0 : sign | code;
}

/** float8e8m0, a scale without sign or mantissa: code c stands for 2^(c - 127), 255 for NaN. */
export function decodeScale(code: number): number {
  return code === 255 ? Number.NaN : 2 ** (code - 127);
}

/** The code nearest to `value`, halves up; what is below or above all powers of two becomes the smallest or largest. */
export function encodeScale(value: number): number {
  if (Number.isNaN(value)) return 255;
  if (value <= 2 ** -127) return 0;
  if (value >= 2 ** 127) return 254;
  const e = exponentOf(value);
  return e + 127 + (value >= 1.5 * 2 ** e ? 1 : 0);
}

/** The integer nearest to a non-negative `value`, halves to the even one. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

function exponentOf(magnitude: number): number {
  let e = Math.floor(Math.log2(magnitude));
  if (2 ** e > magnitude) e--;
  else if (2 ** (e + 1) <= magnitude) e++;
  return e;
}

function largestCode({ exponent, mantissa, specials }: FloatFormat): number {
  const all = (1 << (exponent + mantissa)) - 1;
  if (specials === 'ieee') return (((1 << exponent) - 1) << mantissa) - 1;
  return specials === 'fn' ? all - 1 : all;
}
